//! The simulator: a whole cluster in one process, in virtual time, where one seed is one run.
//!
//! Every run draws its own subset of faults and their rates (swarm testing), lets them rage for a while, then heals the
//! network, revives the dead and expects everything pending to be done. The [`Checker`](checker::Checker) looks at every
//! output of every correct replica.
//!
//! ```text
//! CONSENSUS_SEED=n                       one seed, with its trace if it fails
//! CONSENSUS_SEEDS=a..b                   a range, each family in turn
//! CONSENSUS_FAMILY=Twins                 only that family
//! CONSENSUS_MINUTES=m                    seeds from CONSENSUS_SEEDS on, as far as the time allows
//! CONSENSUS_MUTATIONS=s                  every planted bug, s seconds at most each
//! ```

mod byzantine;
mod checker;
mod rng;
mod world;

use rng::Rng;
use std::time::{Duration, Instant};
use world::{Plan, World};

/// What a family of runs concentrates on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Anything.
    Swarm,
    /// Liars; in a quiet world now and then, where nobody may wait long.
    Byzantine,
    /// Disks that lose, rot, fill up or fail.
    Disk,
    /// Members come and go.
    Reconfiguration,
    /// Views follow each other quickly, because messages of some kind vanish on some links.
    Churn,
    /// One node exists twice; who hears whom is a numbered scenario.
    Twins,
}

const FAMILIES: [Family; 6] =
    [Family::Swarm, Family::Byzantine, Family::Disk, Family::Reconfiguration, Family::Churn, Family::Twins];

/// Draws a plan from a seed.
fn plan(seed: u64, family: Family) -> Plan {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let n = match family {
        Family::Twins => 4,
        Family::Churn => [4, 4, 4, 4, 4, 4, 5, 7][rng.below(8) as usize],
        Family::Byzantine => [4, 4, 4, 4, 4, 5, 7, 7][rng.below(8) as usize],
        _ => [4, 4, 4, 4, 7, 5, 3, 2, 1, 6][rng.below(10) as usize],
    };
    let f = (n - 1) / 3;
    let mut on = |percent: u64| rng.below(100) < percent;
    let is_twins = family == Family::Twins;
    let is_churn = family == Family::Churn;
    let some = match family {
        Family::Byzantine => 100,
        Family::Swarm | Family::Reconfiguration => 30,
        Family::Churn => 40,
        Family::Disk | Family::Twins => 0,
    };
    let byzantine = on(some);
    let calm = family == Family::Byzantine && on(25);
    let disk = !calm && !is_twins && (family == Family::Disk || on(20));
    let amnesia = !byzantine && !is_twins && (family == Family::Disk || family == Family::Swarm) && on(40);
    let mut plan = Plan {
        seed,
        voters: n as u32,
        spares: if family == Family::Reconfiguration { 2 } else { 0 },
        byzantine: if byzantine { f as u32 } else { 0 },
        twins: is_twins,
        real_signatures: seed.is_multiple_of(20) && n <= 4,
        loss: 0,
        duplication: 0,
        delay: 500,
        delay_tail: 1_000,
        partitions: !calm && !is_twins && on(40),
        crashes: !calm && (disk || (on(50) && !is_twins)),
        power_loss: disk && on(60),
        amnesia,
        disk_errors: disk && on(50),
        disk_delay: 1_000,
        pauses: !calm && !is_twins && on(30),
        skew: 0,
        clients: 1,
        thinking: 100_000,
        gather: 0,
        interval: 4,
        checkpoint_time: u64::MAX,
        cuts: !calm && !is_twins && (is_churn || on(20)),
        slow_links: !calm && !is_twins && on(20),
        clock_jumps: !calm && !is_twins && on(15),
        full_disks: disk && on(30),
        rot: disk && !amnesia && !byzantine && on(60),
        calm,
        timeout: 200_000,
        impatient: family == Family::Swarm && on(15),
        twin: 0,
        rounds: Vec::new(),
        round: 0,
        faults_for: 6_000_000,
    };
    let on = |rng: &mut Rng, percent: u64| rng.below(100) < percent;
    if !calm && !is_twins {
        plan.loss = if on(&mut rng, 60) { rng.below(30) } else { 0 };
        plan.duplication = if on(&mut rng, 50) { rng.below(50) } else { 0 };
        plan.delay_tail = [500, 2_000, 20_000, 80_000][rng.below(4) as usize];
        plan.disk_delay = [100, 1_000, 5_000, 50_000][rng.below(4) as usize];
        plan.skew = if on(&mut rng, 30) { rng.below(900_000) } else { 0 };
    }
    plan.clients = 1 + rng.below(6) as usize;
    plan.thinking = [10_000, 50_000, 300_000][rng.below(3) as usize];
    if family == Family::Disk {
        // Much has to be under way when a disk fails.
        plan.thinking /= 10;
    }
    plan.interval = [2, 4, 8, 16][rng.below(4) as usize];
    plan.gather = if on(&mut rng, 30) { 100 + rng.below(2_000) } else { 0 };
    if plan.rot || on(&mut rng, 50) {
        plan.checkpoint_time = [50_000, 250_000, 1_000_000][rng.below(3) as usize];
    }
    if calm {
        plan.thinking = [50_000, 300_000][rng.below(2) as usize];
        plan.clients = plan.clients.max(3);
        plan.faults_for = 6_500_000;
    }
    if is_churn {
        plan.thinking = plan.thinking.min(200_000);
        (plan.delay_tail, plan.disk_delay, plan.timeout) = (1_000, 200, 60_000);
        plan.loss = plan.loss.min(5);
        plan.interval = plan.interval.max(8);
        plan.faults_for = 3_000_000;
    }
    if plan.real_signatures && !is_twins {
        // A thousand times the price: less of it.
        (plan.thinking, plan.faults_for) = (plan.thinking.max(300_000), plan.faults_for / 2);
    }
    if is_twins {
        scenario(seed, &mut plan);
    }
    plan
}

/// The rounds of a Twins scenario.
const ROUNDS: u32 = 4;

/// All ways to split five nodes into at most three groups.
fn partitions() -> Vec<[u8; 5]> {
    let mut found = Vec::new();
    for code in 0..3_u32.pow(5) {
        let groups: [u8; 5] = std::array::from_fn(|at| (code / 3_u32.pow(at as u32) % 3) as u8);
        // Groups are numbered in the order in which they appear, so that each partition counts once.
        let is_canonical = (0..5).all(|at| groups[at] <= groups[..at].iter().max().map_or(0, |max| max + 1));
        if is_canonical {
            found.push(groups);
        }
    }
    found
}

/// Twins scenarios are counted: which node exists twice, and a partition of the five for each round. The seed walks
/// through all of them in a fixed order that leaves none out and repeats none.
fn scenario(seed: u64, plan: &mut Plan) {
    let partitions = partitions();
    let count = partitions.len() as u64;
    let all = 4 * count.pow(ROUNDS);
    // A step that shares no factor with the number of scenarios visits each once.
    let mut code = ((u128::from(seed % all) * 0x9e37_79b9_7f4b) % u128::from(all)) as u64;
    plan.twin = (code % 4) as u32;
    code /= 4;
    for _ in 0..ROUNDS {
        plan.rounds.push(partitions[(code % count) as usize]);
        code /= count;
    }
    (plan.timeout, plan.disk_delay, plan.delay, plan.delay_tail) = (60_000, 200, 500, 500);
    plan.round = 120_000;
    plan.faults_for = 20_000 + plan.round * u64::from(ROUNDS);
    (plan.clients, plan.thinking) = (3, 60_000);
}

/// Runs a seed; `Err` carries a report.
fn run(seed: u64, family: Family, is_traced: bool) -> Result<world::Report, String> {
    let mut world = World::new(plan(seed, family), is_traced);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
    match result {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(failure)) => Err(format!("seed {seed} ({family:?}): {failure}\n{}", world.trace())),
        Err(_) => Err(format!("seed {seed} ({family:?}): panic\n{}", world.trace())),
    }
}

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    seeds: u64,
    committed: u64,
    virtual_seconds: f64,
    real_seconds: f64,
}

/// Runs seeds, each family in turn; panics with the trace of the first failure. `twice` compares two runs of each seed.
fn check(seeds: impl Iterator<Item = u64>, families: &[Family], twice: bool) -> Tally {
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    let started = Instant::now();
    for seed in seeds {
        let family = families[(seed % families.len() as u64) as usize];
        match run(seed, family, false) {
            Ok(report) => {
                tally.seeds += 1;
                tally.committed += report.committed;
                tally.virtual_seconds += report.time as f64 / 1e6;
                if twice && run(seed, family, false).ok() != Some(report) {
                    println!("FAILED seed {seed} ({family:?}): two runs left different traces");
                    failures.push((seed, family));
                }
            }
            Err(report) => {
                println!("FAILED {}", report.lines().next().unwrap_or_default());
                failures.push((seed, family));
            }
        }
    }
    tally.real_seconds = started.elapsed().as_secs_f64();
    println!("{families:?} {tally:?} {:.0} virtual s/s", tally.virtual_seconds / tally.real_seconds);
    if let Some((seed, family)) = failures.first() {
        let report = run(*seed, *family, true).err().unwrap_or_default();
        panic!("{} failures: {failures:?}\n{report}", failures.len());
    }
    tally
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn families() -> Vec<Family> {
    match std::env::var("CONSENSUS_FAMILY") {
        Ok(name) => FAMILIES.into_iter().filter(|family| format!("{family:?}") == name).collect(),
        Err(_) => FAMILIES.to_vec(),
    }
}

fn range() -> Option<(u64, u64)> {
    let range = std::env::var("CONSENSUS_SEEDS").ok()?;
    let (first, last) = range.split_once("..").expect("CONSENSUS_SEEDS=first..last");
    Some((first.parse().unwrap(), last.parse().unwrap_or(u64::MAX)))
}

/// What the environment asks for; nothing by default.
#[test]
fn campaign() {
    if let Some(seed) = number("CONSENSUS_SEED") {
        let families = families();
        let family = families[(seed % families.len() as u64) as usize];
        match run(seed, family, true) {
            Ok(report) => println!("seed {seed} {family:?} {report:?}"),
            Err(report) => panic!("{report}"),
        }
    } else if let Some((first, last)) = range() {
        let limit = number("CONSENSUS_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
        let seeds = (first..last).take_while(|_| limit.is_none_or(|limit| Instant::now() < limit));
        check(seeds, &families(), false);
    }
}

/// How many seeds: a few in every build, all of them where `CONSENSUS_SLICE` is set (`make seeds`, part of `.ci/run`).
fn slice(few: u64, all: u64) -> std::ops::Range<u64> {
    0..if std::env::var_os("CONSENSUS_SLICE").is_some() { all } else { few }
}

/// Each seed is run twice and must leave the same trace.
macro_rules! slices {
    ($($name:ident: $family:ident $few:literal of $all:literal;)*) => {$(
        #[test]
        fn $name() {
            let tally = check(slice($few, $all), &[Family::$family], true);
            assert!(tally.committed > tally.seeds, "the runs did nothing: {tally:?}");
        }
    )*};
}

slices! {
    swarm_seeds_hold_all_invariants: Swarm 25 of 700;
    byzantine_seeds_hold_all_invariants: Byzantine 25 of 500;
    disk_seeds_hold_all_invariants: Disk 25 of 300;
    reconfiguration_seeds_hold_all_invariants: Reconfiguration 25 of 200;
    churn_seeds_hold_all_invariants: Churn 25 of 300;
    twins_scenarios_hold_all_invariants: Twins 500 of 20_000;
}

#[test]
fn twins_scenarios_are_counted_without_repetition() {
    assert_eq!(partitions().len(), 41);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50_000 {
        let plan = plan(seed, Family::Twins);
        assert!(seen.insert((plan.twin, plan.rounds)), "seed {seed} repeats a scenario");
    }
}

/// Seeds that failed once, with what they found. Plans are drawn from the seed, so a change of the drawing changes the
/// run; the seeds stay all the same.
#[test]
fn past_failures_stay_fixed() {
    let old = [Family::Swarm, Family::Byzantine, Family::Disk, Family::Reconfiguration, Family::Twins];
    // A node several epochs behind learned only one link of the chain of memberships.
    check([18, 28, 38, 43, 58].into_iter(), &old, false);
    // Positions piled up in memory after a restart with slow checkpoints, and by assertions above the window.
    check([55, 132, 307, 347, 627, 660].into_iter(), &old, false);
    // All correct nodes were down at once, which the simulator itself did not expect.
    check([271, 415].into_iter(), &old, false);
    // Restarted replicas never repeated their CHECKPOINT votes, so the window stood still for ever.
    check([658].into_iter(), &old, false);
    // The simulator ended a run just after a loss of power, when all stood at the same checkpoint for a moment.
    check([204].into_iter(), &[Family::Churn], false);
    // A checkpoint that became stable during a transfer to an older one was forgotten, and the node stayed behind.
    check([872].into_iter(), &[Family::Disk], false);
    // A node crashed between the last checkpoint of an epoch and the handover, and never went over.
    check([688].into_iter(), &[Family::Reconfiguration], false);
    // One of five correct nodes lagged; two of the others had restarted and could not vouch for what it lacked, so that
    // no checkpoint became stable without it, and it could take no state before one did.
    check([1948].into_iter(), &[Family::Byzantine], false);
    // The simulator wrote to a disk whose node had just crashed, and let a node read what was not synced.
    check([339].into_iter(), &[Family::Churn], false);
}

/// The proof that the simulator is no decoration: with a rule broken, some seed fails. `CONSENSUS_MUTATIONS=s` plants
/// every bug for s seconds at most and prints what it took; without it, a few that must be found fast.
#[test]
fn planted_bugs_are_found() {
    use super::planted::{ALL, Bug, plant};
    let quick = [Bug::QuorumTooSmall, Bug::CommitBeforeSync, Bug::PreparedOmitted];
    let limit = number("CONSENSUS_MUTATIONS");
    let only = std::env::var("CONSENSUS_BUG").ok();
    let is_asked = |bug: &Bug| match &only {
        Some(name) => format!("{bug:?}") == *name,
        None => limit.is_some() || quick.contains(bug),
    };
    let (families, mut missed) = (families(), Vec::new());
    let bugs: Vec<_> = ALL.iter().filter(|(bug, _)| is_asked(bug)).collect();
    for (bug, what) in &bugs {
        plant(Some(*bug));
        let started = Instant::now();
        let is_over = || started.elapsed() > Duration::from_secs(limit.unwrap_or(60));
        let mut seed = first_seed();
        let report = loop {
            let family = families[(seed % families.len() as u64) as usize];
            match run(seed, family, false) {
                Err(report) => break Some(report),
                Ok(_) if is_over() => break None,
                Ok(_) => seed += 1,
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let runs = seed + 1 - first_seed();
        match report {
            Some(report) => {
                let line: String = report.lines().next().unwrap_or_default().chars().take(110).collect();
                println!("| {bug:?} |{what} | {runs} | {seconds:.1} | {line} |");
            }
            None => {
                println!("| {bug:?} |{what} | {runs} | {seconds:.1} | MISSED |");
                missed.push(*bug);
            }
        }
    }
    plant(None);
    println!("{} of {} found; missed {missed:?}", bugs.len() - missed.len(), bugs.len());
    assert!(missed.len() <= 2, "missed {missed:?}");
}

fn first_seed() -> u64 {
    range().map_or(0, |(first, _)| first)
}
