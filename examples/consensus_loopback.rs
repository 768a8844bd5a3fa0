//! The consensus core on plain TCP: four replicas as four processes on loopback, no TLS, no SQL, one group-committed
//! fdatasync between prepared and COMMIT. It measures what the core leaves of the network and the disk.
//!
//! ```text
//! consensus_loopback run PORT none|fsync BYTES WINDOW SECONDS
//! ```
//!
//! Replica 0 is primary and gateway; WINDOW clients each wait for their request of BYTES before they send the next, and
//! every request travels in a batch of its own. Prints batches/s, MB/s, and p50/p99 of a batch in microseconds.

#![allow(clippy::print_stdout, missing_docs)]

use aerolithdb::consensus::codec::{Bytes, Codec, decode_frame};
use aerolithdb::consensus::message::Message;
use aerolithdb::consensus::types::*;
use aerolithdb::consensus::{Input, Keys, Output, Record, Recovered, Replica};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, IoSlice, Read, Write};
use std::mem::discriminant;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const REPLICAS: u32 = 4;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What wakes the replica's thread.
enum Event {
    /// What one read of a connection has brought.
    Messages(ReplicaId, Vec<Message>),
    Synced(u64),
}

struct Settings {
    id: ReplicaId,
    port: u16,
    is_durable: bool,
    bytes: usize,
    window: u64,
    seconds: f64,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("run") if args.len() == 7 => {
            let start = |id: u32| {
                let mut command = std::process::Command::new(&args[0]);
                command.arg("replica").arg(id.to_string()).args(&args[2..]).spawn()
            };
            let replicas: Vec<_> = (0..REPLICAS).map(start).collect::<Result<_, _>>()?;
            for mut replica in replicas {
                replica.wait()?;
            }
            Ok(())
        }
        Some("replica") if args.len() == 8 => run(&Settings {
            id: ReplicaId(args[2].parse()?),
            port: args[3].parse()?,
            is_durable: args[4] == "fsync",
            bytes: args[5].parse()?,
            window: args[6].parse()?,
            seconds: args[7].parse()?,
        }),
        _ => Err("usage: consensus_loopback run PORT none|fsync BYTES WINDOW SECONDS".into()),
    }
}

fn keys(id: ReplicaId) -> Keys {
    Keys::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[id.0 as u8 + 1; 32])))
}

fn open(settings: &Settings) -> Outcome<Replica> {
    let member = |id| Member { id: ReplicaId(id), key: keys(ReplicaId(id)).public(), role: Role::Voter };
    let genesis = Arc::new(Genesis {
        cluster: Digest::of("cluster", b"loopback"),
        members: (0..REPLICAS).map(member).collect(),
        administrators: Vec::new(),
        approvals: 1,
        checkpoint_interval: 64,
        checkpoint_time: 250_000,
        watermark_window: 128,
        client_retention: 1 << 20,
    });
    let parameters = Parameters {
        pipeline: settings.window,
        gateway_pipeline: settings.window,
        body_bytes_max: 1,
        batch_bytes_max: 1,
        // A busy machine is no reason for a view change.
        request_timeout: 20_000_000,
        proposal_delay_floor: 20_000_000,
        ..Parameters::default()
    };
    let recovered = Recovered { records: Vec::new(), checkpoint: SeqNo(0), incarnation: 1 };
    Replica::open(settings.id, keys(settings.id), genesis, parameters, recovered).ok_or("unusable genesis".into())
}

// ---- frames ----

fn read(stream: &mut impl Read) -> Outcome<Message> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    let mut frame = Vec::with_capacity(length as usize);
    if stream.take(u64::from(length)).read_to_end(&mut frame)? < length as usize {
        return Err("cut off".into());
    }
    Ok(decode_frame(&frame.into())?)
}

/// A message with its length before it.
fn frame(message: &Message) -> Arc<Vec<u8>> {
    let mut frame = vec![0; 4];
    message.put(&mut frame);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Arc::new(frame)
}

/// The way to a peer: frames go out together, and those for everybody are written down once.
struct Peer {
    stream: TcpStream,
    frames: Vec<Arc<Vec<u8>>>,
}

impl Peer {
    fn flush(&mut self) -> Outcome<()> {
        for frames in self.frames.chunks(512) {
            let mut slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
            let mut rest = slices.as_mut_slice();
            while !rest.is_empty() {
                let written = self.stream.write_vectored(rest)?;
                IoSlice::advance_slices(&mut rest, written);
            }
        }
        self.frames.clear();
        Ok(())
    }
}

/// Passes on what comes from a peer, as much at once as one read of the connection has brought.
fn listen(stream: &mut BufReader<TcpStream>, from: ReplicaId, events: &Sender<Event>) -> Outcome<()> {
    loop {
        let mut messages = Vec::new();
        loop {
            messages.push(read(stream)?);
            let buffer = stream.buffer();
            let length = buffer.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
            if length.is_none_or(|length| buffer.len() < 4 + length) {
                break;
            }
        }
        events.send(Event::Messages(from, messages))?;
    }
}

/// Connections to everybody, and a thread for each that comes from them.
fn connect(settings: &Settings, events: &Sender<Event>) -> Outcome<Vec<Option<Peer>>> {
    let port = |id: ReplicaId| settings.port + id.0 as u16;
    let listener = TcpListener::bind(("127.0.0.1", port(settings.id)))?;
    let mut peers = Vec::new();
    for id in (0..REPLICAS).map(ReplicaId) {
        if id == settings.id {
            peers.push(None);
            continue;
        }
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port(id))) {
                Ok(stream) => break stream,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        stream.set_nodelay(true)?;
        stream.write_all(&settings.id.0.to_be_bytes())?;
        peers.push(Some(Peer { stream, frames: Vec::new() }));
    }
    for _ in 1..REPLICAS {
        let (mut stream, _) = listener.accept()?;
        let mut id = [0; 4];
        stream.read_exact(&mut id)?;
        let from = ReplicaId(u32::from_be_bytes(id));
        let events = events.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::with_capacity(1 << 17, stream);
            listen(&mut stream, from, &events).ok();
        });
    }
    Ok(peers)
}

// ---- the log ----

/// What the log's thread is asked to do.
enum Task {
    Write(u64, Vec<Record>),
    /// Records of positions below are not needed any more.
    Truncate(SeqNo),
}

/// The write-ahead log: segments of zeros written in advance and used again once nothing in them is needed, so that a
/// sync waits for the data and not for the file system's notes about a file that grows.
struct Log {
    id: ReplicaId,
    segments: Vec<(File, SeqNo)>,
    current: usize,
    offset: u64,
    /// Tells this write from what an earlier use of the segment has left.
    serial: u64,
    truncated: SeqNo,
    /// Records that belong to no position, of most kinds the last; every segment begins with them.
    kept: Vec<Record>,
}

const SEGMENT: u64 = 8 << 20;

fn segment_path(id: ReplicaId, number: usize) -> String {
    format!("consensus-loopback-{id}-{number}.tmp")
}

impl Log {
    /// With room for the positions of three checkpoints.
    fn create(settings: &Settings) -> Outcome<Self> {
        let mut log = Self {
            id: settings.id,
            segments: Vec::new(),
            current: 0,
            offset: 0,
            serial: 0,
            truncated: SeqNo(0),
            kept: Vec::new(),
        };
        for _ in 0..2 + 192 * settings.bytes as u64 / SEGMENT {
            log.add_segment()?;
        }
        Ok(log)
    }

    fn add_segment(&mut self) -> Outcome<()> {
        let mut file = File::create(segment_path(self.id, self.segments.len()))?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..SEGMENT >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        self.segments.push((file, SeqNo(0)));
        Ok(())
    }

    /// Goes on in another segment.
    fn turn(&mut self) -> Outcome<()> {
        let is_free = |at: &usize| *at != self.current && self.segments[*at].1 < self.truncated;
        self.current = match (0..self.segments.len()).find(is_free) {
            Some(free) => free,
            None => {
                self.add_segment()?;
                self.segments.len() - 1
            }
        };
        (self.offset, self.segments[self.current].1) = (0, SeqNo(0));
        let kept = self.kept.clone();
        self.put(&[kept])
    }

    /// Appends records under one header: serial number, length, checksum.
    fn put(&mut self, records: &[Vec<Record>]) -> Outcome<()> {
        let mut bytes = vec![0; 16];
        records.iter().for_each(|records| records.put(&mut bytes));
        if self.offset + bytes.len() as u64 > SEGMENT && self.offset > 0 {
            self.turn()?;
        }
        self.serial += 1;
        let length = bytes.len() as u32 - 16;
        let checksum = crc32c::crc32c(&bytes[16..]);
        bytes[..8].copy_from_slice(&self.serial.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&checksum.to_be_bytes());
        let (file, newest) = &mut self.segments[self.current];
        file.write_all_at(&bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        for record in records.iter().flatten() {
            match record.seq() {
                Some(seq) => *newest = seq.max(*newest),
                None => {
                    let is_epoch = matches!(record, Record::Epoch(_));
                    self.kept.retain(|kept| is_epoch || discriminant(kept) != discriminant(record));
                    self.kept.push(record.clone());
                }
            }
        }
        Ok(())
    }

    /// Whatever has gathered is written and synced at once.
    fn run(mut self, tasks: &Receiver<Task>, events: &Sender<Event>) -> Outcome<()> {
        while let Ok(first) = tasks.recv() {
            let (mut token, mut gathered) = (None, Vec::new());
            for task in std::iter::once(first).chain(tasks.try_iter()) {
                match task {
                    Task::Write(next, records) => {
                        token = Some(next);
                        gathered.push(records);
                    }
                    Task::Truncate(seq) => self.truncated = seq,
                }
            }
            if let Some(token) = token {
                self.put(&gathered)?;
                self.segments[self.current].0.sync_data()?;
                events.send(Event::Synced(token))?;
            }
        }
        Ok(())
    }
}

// ---- the replica's thread ----

struct Node<'a> {
    settings: &'a Settings,
    replica: Replica,
    peers: Vec<Option<Peer>>,
    log: Sender<Task>,
    started: Instant,
    /// When each client sent its request.
    sent_at: Vec<Instant>,
    latencies: Vec<u64>,
    batches: u64,
}

impl Node<'_> {
    fn now(&self) -> Outcome<Now> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
        Ok(Now { monotonic: self.started.elapsed().as_micros() as u64 + 1, wall })
    }

    fn step(&mut self, input: Input) -> Outcome<()> {
        for output in self.replica.step(self.now()?, input) {
            self.obey(output)?;
        }
        Ok(())
    }

    fn obey(&mut self, output: Output) -> Outcome<()> {
        match output {
            Output::Broadcast(message) => {
                let frame = frame(&message);
                self.peers.iter_mut().flatten().for_each(|peer| peer.frames.push(frame.clone()));
            }
            Output::Send(to, message) => {
                if let Some(peer) = self.peers.get_mut(to.0 as usize).and_then(Option::as_mut) {
                    peer.frames.push(frame(&message));
                }
            }
            Output::Persist(token, records) if self.settings.is_durable => {
                self.log.send(Task::Write(token, records))?
            }
            Output::Persist(token, _) => self.step(Input::Persisted(token))?,
            Output::Truncate(seq) => self.log.send(Task::Truncate(seq))?,
            Output::TakeCheckpoint(seq) => self.step(Input::CheckpointTaken(seq, Vec::new()))?,
            Output::Execute(_, requests) => {
                self.batches += u64::from(!requests.is_empty());
                for (_, request) in requests.iter().filter(|_| self.settings.id == ReplicaId(0)) {
                    let client = request.client.0 as usize;
                    self.latencies.push(self.sent_at[client].elapsed().as_micros() as u64);
                    self.submit(client, request.number + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn submit(&mut self, client: usize, number: u64) -> Outcome<()> {
        if self.started.elapsed().as_secs_f64() >= self.settings.seconds {
            return Ok(());
        }
        self.sent_at[client] = Instant::now();
        let operation = Operation::Data(Bytes::from(vec![7; self.settings.bytes]));
        self.step(Input::Submit(Request { client: ClientId(client as u128), number, operation }))
    }

    /// What has come meanwhile; signatures are verified all together.
    fn hear(&mut self, events: Vec<Event>) -> Outcome<()> {
        let mut messages = Vec::new();
        for event in events {
            match event {
                Event::Synced(token) => self.step(Input::Persisted(token))?,
                Event::Messages(from, more) => messages.extend(more.into_iter().map(|message| (from, message))),
            }
        }
        let outputs = self.replica.receive_all(self.now()?, messages);
        outputs.into_iter().try_for_each(|output| self.obey(output))
    }

    fn flush(&mut self) -> Outcome<()> {
        self.peers.iter_mut().flatten().try_for_each(Peer::flush)
    }

    fn report(&mut self) {
        self.latencies.sort_unstable();
        let at = |percent: usize| self.latencies.get(self.latencies.len() * percent / 100).copied().unwrap_or_default();
        let Settings { is_durable, bytes, window, seconds, .. } = self.settings;
        let rate = self.batches as f64 / seconds;
        let volume = rate * *bytes as f64 / 1e6;
        let durability = if *is_durable { "fsync" } else { "none" };
        println!(
            "core dur={durability} bytes={bytes} win={window} : {rate:.0} batches/s  {volume:.1} MB/s  p50 {} p99 {} us",
            at(50),
            at(99)
        );
    }
}

fn run(settings: &Settings) -> Outcome<()> {
    let (events, inbox) = channel();
    let replica = open(settings)?;
    let ((log, tasks), sender) = (channel(), events.clone());
    let segments = Log::create(settings)?;
    std::thread::spawn(move || segments.run(&tasks, &sender).ok());
    let peers = connect(settings, &events)?;
    let mut node = Node {
        settings,
        replica,
        peers,
        log,
        started: Instant::now(),
        sent_at: vec![Instant::now(); settings.window as usize],
        latencies: Vec::new(),
        batches: 0,
    };
    node.step(Input::Start)?;
    let mut has_begun = false;
    let mut ticked = Instant::now();
    loop {
        node.flush()?;
        match inbox.recv_timeout(Duration::from_millis(5)) {
            // What has come meanwhile goes out together.
            Ok(event) => node.hear(std::iter::once(event).chain(inbox.try_iter().take(256)).collect())?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if ticked.elapsed() >= Duration::from_millis(5) {
            ticked = Instant::now();
            node.step(Input::Tick)?;
        }
        let elapsed = node.started.elapsed().as_secs_f64();
        if !has_begun && elapsed > 0.3 {
            // Everybody has started and reserved its votes.
            (has_begun, node.started) = (true, Instant::now());
            if settings.id == ReplicaId(0) {
                (0..settings.window as usize).try_for_each(|client| node.submit(client, 1))?;
            }
        } else if has_begun && elapsed > settings.seconds + 0.5 {
            break;
        }
    }
    (0..).take_while(|number| std::fs::remove_file(segment_path(settings.id, *number)).is_ok()).for_each(drop);
    if settings.id == ReplicaId(0) {
        node.report();
    }
    std::process::exit(0)
}
