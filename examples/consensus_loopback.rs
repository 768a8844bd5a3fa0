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

use aerolithdb::consensus::codec::{Bytes, Codec, decode_frame, encode};
use aerolithdb::consensus::message::Message;
use aerolithdb::consensus::types::*;
use aerolithdb::consensus::{Directory, Input, Keys, Output, Record, Recovered, Replica, Verified, verify};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const REPLICAS: u32 = 4;

/// Bodies from here on are verified by the thread that reads them.
const LARGE: usize = 8192;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What wakes the replica's thread.
enum Event {
    /// What one read of a connection has brought.
    Messages(ReplicaId, Vec<Message>),
    /// A large body, whose hash was computed by the thread that read it.
    Verified(Verified<Message>),
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
        checkpoint_interval: 256,
        checkpoint_time: 250_000,
        watermark_window: 512,
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

fn write(stream: &mut impl Write, frame: &[u8]) -> Outcome<()> {
    stream.write_all(&(frame.len() as u32).to_be_bytes())?;
    Ok(stream.write_all(frame)?)
}

/// Passes on what comes from a peer, as much at once as one read of the connection has brought.
fn listen(
    stream: &mut BufReader<TcpStream>,
    from: ReplicaId,
    directory: &Directory,
    events: &Sender<Event>,
) -> Outcome<()> {
    loop {
        let mut messages = Vec::new();
        loop {
            match read(stream)? {
                Message::Body(signed) if signed.body.size() >= LARGE => {
                    if let Ok(verified) = verify(directory, from, Message::Body(signed)) {
                        events.send(Event::Verified(verified))?;
                    }
                }
                message => messages.push(message),
            }
            let buffer = stream.buffer();
            let length = buffer.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
            if length.is_none_or(|length| buffer.len() < 4 + length) {
                break;
            }
        }
        if !messages.is_empty() {
            events.send(Event::Messages(from, messages))?;
        }
    }
}

/// Connections to everybody, and a thread for each that comes from them.
fn connect(
    settings: &Settings,
    directory: &Directory,
    events: &Sender<Event>,
) -> Outcome<Vec<Option<BufWriter<TcpStream>>>> {
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
        peers.push(Some(BufWriter::with_capacity(1 << 16, stream)));
    }
    for _ in 1..REPLICAS {
        let (mut stream, _) = listener.accept()?;
        let mut id = [0; 4];
        stream.read_exact(&mut id)?;
        let from = ReplicaId(u32::from_be_bytes(id));
        let (events, directory) = (events.clone(), directory.clone());
        std::thread::spawn(move || {
            let mut stream = BufReader::with_capacity(1 << 17, stream);
            listen(&mut stream, from, &directory, &events).ok();
        });
    }
    Ok(peers)
}

/// The log: whatever has gathered is written and synced at once.
fn write_log(mut file: File, records: Receiver<(u64, Vec<Record>)>, events: Sender<Event>) -> Outcome<()> {
    let mut bytes = Vec::new();
    while let Ok((mut token, first)) = records.recv() {
        bytes.clear();
        first.put(&mut bytes);
        while let Ok((next, more)) = records.try_recv() {
            token = next;
            more.put(&mut bytes);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        events.send(Event::Synced(token))?;
    }
    Ok(())
}

// ---- the replica's thread ----

struct Node<'a> {
    settings: &'a Settings,
    replica: Replica,
    peers: Vec<Option<BufWriter<TcpStream>>>,
    log: Sender<(u64, Vec<Record>)>,
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
                let frame = encode(&message);
                for peer in self.peers.iter_mut().flatten() {
                    write(peer, &frame)?;
                }
            }
            Output::Send(to, message) => {
                if let Some(peer) = self.peers.get_mut(to.0 as usize).and_then(Option::as_mut) {
                    write(peer, &encode(&message))?;
                }
            }
            Output::Persist(token, records) if self.settings.is_durable => self.log.send((token, records))?,
            Output::Persist(token, _) => self.step(Input::Persisted(token))?,
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
                Event::Verified(message) => self.step(Input::Message(message))?,
            }
        }
        let outputs = self.replica.receive_all(self.now()?, messages);
        outputs.into_iter().try_for_each(|output| self.obey(output))
    }

    fn flush(&mut self) -> Outcome<()> {
        self.peers.iter_mut().flatten().try_for_each(|peer| Ok(peer.flush()?))
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
    let peers = connect(settings, replica.directory(), &events)?;
    let (log, records) = channel();
    let path = std::env::current_dir()?.join(format!("consensus-loopback-{}.tmp", settings.id));
    let (file, sender) = (File::create(&path)?, events.clone());
    std::thread::spawn(move || write_log(file, records, sender).ok());
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
    std::fs::remove_file(path)?;
    if settings.id == ReplicaId(0) {
        node.report();
    }
    std::process::exit(0)
}
