#!/usr/bin/env python3
"""kill -9 under load, again and again: every acknowledged commit is there after the restart, nothing is there by half.

usage: crash.py BINARY [ROUNDS] [--seed N]
Each round starts the node on the same folder, lets eight clients write (single-row inserts; transactions that write the
same id into two tables; transfers that keep a sum), kills it with SIGKILL after a random while, starts it again and checks:
  - every id whose commit was acknowledged is in its table, with the document that was acknowledged last;
  - an id is in both pair tables or in neither;
  - the accounts still sum up to what they began with;
  - every index lookup agrees with the scan.
A commit that was sent and not answered may be there or not: it is adopted as found.
"""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

CLIENTS = 8
ACCOUNTS = 50


class Node:
    def __init__(self, binary, folder):
        self.started = time.monotonic()
        env = {**os.environ, "AEROLITHDB_ADMIN_PASSWORD": "crash"}
        self.log = open(folder / "node.log", "ab")
        self.process = subprocess.Popen([binary, "start", "--data-dir", str(folder / "data"), "--pg-port", "0"],
                                        stdout=subprocess.PIPE, stderr=self.log, env=env)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the node did not start; its log: {(folder / 'node.log').read_text()[-4000:]}")
        self.port = json.loads(line)["pg_port"]
        self.ready_seconds = time.monotonic() - self.started

    def connect(self, **options):
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=aerolith password=crash dbname=aerolith", **options)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def writer(node, client, first_id, acknowledged, in_doubt, stop, seed):
    """Writes until the node is gone. acknowledged: id -> (kind, value); in_doubt: what was sent last."""
    r = random.Random(seed)
    next_id = first_id
    try:
        with node.connect(autocommit=True) as conn:
            while not stop.is_set():
                kind = r.choice(["insert", "insert", "pair", "update", "transfer"])
                if kind == "insert":
                    next_id += CLIENTS
                    in_doubt[client] = ("insert", next_id, 0)
                    conn.execute("INSERT INTO events VALUES (%s, %s)", (next_id, json.dumps({"n": 0, "client": client, "pad": "x" * r.randrange(400)})))
                    acknowledged[("event", next_id)] = 0
                elif kind == "pair":
                    next_id += CLIENTS
                    in_doubt[client] = ("pair", next_id, 0)
                    with conn.transaction():
                        conn.execute("INSERT INTO pair_a VALUES (%s)", (next_id,))
                        conn.execute("INSERT INTO pair_b VALUES (%s)", (next_id,))
                    acknowledged[("pair", next_id)] = True
                elif kind == "update" and ("event", next_id) in acknowledged:
                    n = acknowledged[("event", next_id)] + 1
                    in_doubt[client] = ("update", next_id, n)
                    conn.execute("UPDATE events SET doc = jsonb_set(doc, '{n}', to_jsonb(%s::int)) WHERE id = %s", (n, next_id))
                    acknowledged[("event", next_id)] = n
                elif kind == "transfer":
                    a, b = r.sample(range(ACCOUNTS), 2)
                    in_doubt[client] = ("transfer", 0, 0)
                    try:
                        with conn.transaction():
                            conn.execute("UPDATE accounts SET balance = balance - 1 WHERE id = %s", (a,))
                            conn.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (b,))
                    except psycopg.errors.SerializationFailure:
                        pass
                in_doubt[client] = None
    except psycopg.OperationalError:
        pass  # the node was killed


def verify(node, acknowledged, in_doubt, round_number):
    problems = []
    with node.connect() as conn:
        events = dict(conn.execute("SELECT id, (doc->>'n')::int FROM events").fetchall())
        doubt = {(d[1]): d for d in in_doubt if d}
        for (kind, key), value in acknowledged.items():
            if kind == "event":
                found = events.get(key)
                allowed = {value} | ({doubt[key][2]} if key in doubt and doubt[key][0] == "update" else set())
                if found not in allowed:
                    problems.append(f"event {key}: acknowledged {value}, found {found}")
                else:
                    acknowledged[(kind, key)] = found
        a = {r[0] for r in conn.execute("SELECT id FROM pair_a").fetchall()}
        b = {r[0] for r in conn.execute("SELECT id FROM pair_b").fetchall()}
        if a != b:
            problems.append(f"half a transaction: {sorted(a ^ b)[:10]}")
        lost = [k for (kind, k) in acknowledged if kind == "pair" and k not in a]
        if lost:
            problems.append(f"lost pairs: {lost[:10]}")
        total = conn.execute("SELECT sum(balance) FROM accounts").fetchone()[0]
        if total != ACCOUNTS * 1000:
            problems.append(f"the accounts sum up to {total}")
        scan = conn.execute("SELECT count(*) FROM events WHERE doc->>'client' = '3'").fetchone()[0]
        index = conn.execute("SELECT count(*) FROM events WHERE (doc->>'client')::int = 3").fetchone()[0]
        if scan != index:
            problems.append(f"the index finds {index} rows, the scan {scan}")
    if problems:
        raise SystemExit(f"round {round_number}:\n" + "\n".join(problems[:20]))
    return len(events), len(a)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("binary")
    args.add_argument("rounds", nargs="?", type=int, default=50)
    args.add_argument("--seed", type=int, default=int(time.time()))
    args = args.parse_args()
    print(f"crash: seed {args.seed}", flush=True)
    r = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        node = Node(args.binary, folder)
        with node.connect(autocommit=True) as conn:
            conn.execute("CREATE TABLE events (id bigint PRIMARY KEY, doc jsonb NOT NULL)")
            conn.execute("CREATE INDEX events_client ON events (((doc->>'client')::int))")
            conn.execute("CREATE TABLE pair_a (id bigint PRIMARY KEY)")
            conn.execute("CREATE TABLE pair_b (id bigint PRIMARY KEY)")
            conn.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)")
            conn.execute("INSERT INTO accounts SELECT g, 1000 FROM generate_series(0, %s) g" % (ACCOUNTS - 1))
        acknowledged, slowest = {}, 0.0
        for round_number in range(1, args.rounds + 1):
            stop, in_doubt = threading.Event(), [None] * CLIENTS
            first = round_number * 10_000_000
            threads = [threading.Thread(target=writer, args=(node, c, first + c, acknowledged, in_doubt, stop, r.random())) for c in range(CLIENTS)]
            for t in threads:
                t.start()
            time.sleep(r.uniform(0.2, 1.2))
            node.kill()
            stop.set()
            for t in threads:
                t.join()
            node = Node(args.binary, folder)
            slowest = max(slowest, node.ready_seconds)
            events, pairs = verify(node, acknowledged, in_doubt, round_number)
            if round_number % 10 == 0:
                print(f"crash: {round_number} kills, {events} events, {pairs} pairs, {len(acknowledged)} acknowledged, slowest start {slowest:.2f} s", flush=True)
        node.process.send_signal(signal.SIGTERM)
        if node.process.wait(timeout=30) != 0:
            raise SystemExit("the node did not end cleanly")
    print(f"crash: {args.rounds} passed, 0 failed")


sys.exit(main())
