//! The log on a disk that forgets: torn ends, damage, rotation, failures.

use super::disk::ForgetfulDisk;
use super::*;
use crate::error::SqlState;
use crate::storage::command::Expect;
use crate::storage::testing::{command, put};

fn numbered(number: u64) -> Command {
    command(vec![put(1, &format!("key {number}"), &"x".repeat(number as usize % 40), Expect::Any)])
}

/// Opens a log and gives the numbers of its commands.
fn open(disk: &ForgetfulDisk, segment_bytes: u64) -> Result<(Log, Vec<u64>)> {
    let mut found = Vec::new();
    let mut replay = |position: Position, command: Command| {
        assert_eq!(command, numbered(position.0));
        found.push(position.0);
        Ok(())
    };
    let (log, recovery) = Log::open(Box::new(disk.clone()), segment_bytes, Position(0), &mut replay)?;
    assert_eq!(recovery.replayed as usize, found.len());
    Ok((log, found))
}

fn fill(log: &mut Log, count: u64) {
    for _ in 0..count {
        let next = log.last().0 + 1;
        assert_eq!(log.append(&numbered(next)).unwrap(), Position(next));
    }
    log.sync().unwrap();
}

fn upto(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[test]
fn what_was_synced_is_read_back() {
    let disk = ForgetfulDisk::new();
    let (mut log, found) = open(&disk, 1 << 20).unwrap();
    assert!(found.is_empty());
    fill(&mut log, 5);
    let (mut log, found) = open(&disk.crash(0), 1 << 20).unwrap();
    assert_eq!(found, upto(5));
    assert_eq!(log.last(), Position(5));
    fill(&mut log, 1);
}

#[test]
fn a_log_torn_at_any_byte_of_its_last_command_loses_only_that_one() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    fill(&mut log, 3);
    let (file, start) = log.tail();
    fill(&mut log, 1);
    let (_, end) = log.tail();
    let whole = disk.content(&file);
    for cut in start as usize..=end as usize {
        let expected = if cut == end as usize { 4 } else { 3 };
        let torn = ForgetfulDisk::new();
        torn.set_content(&file, whole[..cut].to_vec());
        // The same with zeros after the cut, which is how an allocated file is torn.
        let zeros = ForgetfulDisk::new();
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        zeros.set_content(&file, bytes);
        for disk in [torn, zeros] {
            let (mut log, found) = open(&disk, 1 << 20).unwrap();
            // The body is padded with zeros, which need not be there.
            assert!(found == upto(expected) || found == upto(4) && end as usize - cut < 8, "cut at {cut}");
            fill(&mut log, 2);
            assert_eq!(open(&disk, 1 << 20).unwrap().1, upto(found.len() as u64 + 2), "cut at {cut}");
        }
    }
}

#[test]
fn damage_before_the_last_sync_is_an_error_that_names_file_and_offset() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    fill(&mut log, 1);
    let (file, start) = log.tail();
    fill(&mut log, 1);
    let (_, end) = log.tail();
    fill(&mut log, 2);
    let whole = disk.content(&file);
    for place in start..end {
        let mut bytes = whole.clone();
        bytes[place as usize] ^= 1;
        disk.set_content(&file, bytes);
        let Err(error) = open(&disk, 1 << 20) else { panic!("damage at {place} was not noticed") };
        assert_eq!(error.code(), SqlState::DATA_CORRUPTED);
        assert_eq!(error.message(), format!("log file \"{file}\" is corrupted at offset {start}"));
    }
    let mut bytes = whole.clone();
    bytes[3] ^= 1;
    disk.set_content(&file, bytes);
    assert!(open(&disk, 1 << 20).is_err());
}

#[test]
fn a_crash_keeps_what_was_synced_and_any_part_of_what_was_not_in_order() {
    for segment_bytes in [200, 1 << 20] {
        let disk = ForgetfulDisk::new();
        let (mut log, _) = open(&disk, segment_bytes).unwrap();
        fill(&mut log, 4);
        for number in 5..8 {
            log.append(&numbered(number)).unwrap();
        }
        log.write_buffer().unwrap();
        let unsynced = disk.unsynced_bytes();
        let mut most = 0;
        for kept in (0..=unsynced).rev().take(400).chain([0, 1, 2]) {
            let crashed = disk.crash(kept);
            let (mut log, found) = open(&crashed, segment_bytes).unwrap();
            assert!(found.len() >= 4 && found == upto(found.len() as u64), "{found:?}");
            most = most.max(found.len());
            fill(&mut log, 3);
            assert_eq!(open(&crashed, segment_bytes).unwrap().1, upto(found.len() as u64 + 3));
        }
        assert_eq!(most, 7);
    }
}

#[test]
fn the_log_goes_on_in_new_files_and_forgets_old_ones() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 500).unwrap();
    for _ in 0..50 {
        fill(&mut log, 2);
    }
    let (files, first) = log.extent();
    assert!(files > 10 && first == Position(1), "{files}");
    drop(log);
    assert_eq!(open(&disk, 500).unwrap().1, upto(100));
    let (mut log, _) = open(&disk, 500).unwrap();
    log.forget(Position(60), 2).unwrap();
    let first = log.extent().1;
    assert!(first.0 > 50 && first.0 <= 61, "{first:?}");
    drop(log);
    // A row store that is at position 60 needs no more; one that has nothing cannot be helped.
    let mut found = 0;
    let mut count = |_, _| {
        found += 1;
        Ok(())
    };
    Log::open(Box::new(disk.clone()), 500, Position(60), &mut count).unwrap();
    assert_eq!(found, 40);
    let error = open(&disk, 500).err().unwrap();
    assert_eq!(error.code(), SqlState::DATA_CORRUPTED);
    let error = Log::open(Box::new(disk.clone()), 500, Position(101), &mut |_, _| Ok(())).err().unwrap();
    assert!(error.message().contains("ends at position 100"), "{error}");
}

#[test]
fn a_missing_or_damaged_file_in_the_middle_is_an_error() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 300).unwrap();
    for _ in 0..20 {
        fill(&mut log, 1);
    }
    let files: Vec<String> = disk.list().unwrap();
    assert!(files.len() > 4);
    let middle = &files[2];
    let whole = disk.content(middle);
    for place in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        disk.set_content(middle, bytes);
        let error = open(&disk, 300).err().unwrap();
        assert!(error.message().contains(middle.as_str()), "{error}");
    }
    disk.set_content(middle, whole[..whole.len() - 8].to_vec());
    assert!(open(&disk, 300).is_err());
    disk.remove(middle).unwrap();
    assert!(open(&disk, 300).is_err());
}

#[test]
fn a_crash_while_a_file_is_begun_leaves_a_log_that_goes_on() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 100).unwrap();
    fill(&mut log, 3);
    let next = name(4);
    for len in 0..32 {
        let crashed = disk.crash(0);
        crashed.set_content(&next, SegmentHeader { first: 4, chain: log.chain }.encode()[..len].to_vec());
        let (mut log, found) = open(&crashed, 100).unwrap();
        assert_eq!(found, upto(3), "{len} bytes of the header");
        fill(&mut log, 2);
        assert_eq!(open(&crashed, 100).unwrap().1, upto(5));
    }
}

#[test]
fn large_commands_take_several_frames() {
    let disk = ForgetfulDisk::new();
    let large = command((0..3000).map(|i| put(1, &format!("{i}"), &"y".repeat(2000), Expect::Any)).collect());
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    fill(&mut log, 1);
    log.append(&large).unwrap();
    log.sync().unwrap();
    log.append(&numbered(3)).unwrap();
    log.sync().unwrap();
    let mut found = Vec::new();
    let mut replay = |_, command| {
        found.push(command);
        Ok(())
    };
    Log::open(Box::new(disk.crash(0)), 1 << 20, Position(0), &mut replay).unwrap();
    assert!(found == [numbered(1), large, numbered(3)]);
}

#[test]
fn after_a_failed_sync_nothing_is_tried_again() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    fill(&mut log, 1);
    disk.fail_syncs_after(0);
    log.append(&numbered(2)).unwrap();
    assert_eq!(log.sync().unwrap_err().code(), SqlState::IO_ERROR);
    disk.fail_syncs_after(100);
    assert_eq!(log.append(&numbered(2)).unwrap_err().code(), SqlState::IO_ERROR);
    assert_eq!(log.sync().unwrap_err().code(), SqlState::IO_ERROR);
}
