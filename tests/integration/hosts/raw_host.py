#!/usr/bin/env python3
"""A host that does exactly what its arguments say, one step each, and so breaks every rule that a test wants broken.

    raw_host.py ready "frame:{...}" serve

Each step is a name of STEPS, with its argument behind a colon.
"""
import array
import json
import os
import signal
import socket
import struct
import sys
import time

MIB = 1 << 20
ATTACHED = 1 << 31  # of a frame's length: it has an attachment


def connect():
    """The connection that carries the backend's requests, and the one that carries ours."""
    if "BULKHEAD_IPC_FD" in os.environ:
        one = socket.socket(fileno=int(os.environ["BULKHEAD_IPC_FD"]))
        return one, one
    path = lambda name: os.environ[name].removeprefix("ipc://")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path("DSCODE_IPC_URL"))
    listening.listen(1)
    outgoing = socket.socket(socket.AF_UNIX)
    outgoing.connect(path("DSCODE_INCOMING_IPC_URL"))
    return listening.accept()[0], outgoing


def say(*words):
    print(*words, flush=True)


def raw(message_id, message_type, payload):
    body = json.dumps({"id": message_id, "type": message_type, "payload": payload}).encode()
    return struct.pack(">I", len(body)) + body


def attached(body, attachment):
    lengths = struct.pack(">II", ATTACHED | 4 + len(body) + len(attachment), len(body))
    return lengths + body + attachment


def framed(body):
    return struct.pack(">I", len(body)) + body


def read_exactly(channel, count):
    taken = b""
    while len(taken) < count:
        chunk = channel.recv(min(count - len(taken), MIB))
        if not chunk:
            sys.exit(0)  # the backend is gone
        taken += chunk
    return taken


def read(channel):
    """The next message; an attachment is its member of that name, as hexadecimal digits."""
    (length,) = struct.unpack(">I", read_exactly(channel, 4))
    if length < ATTACHED:
        return json.loads(read_exactly(channel, length))
    body = read_exactly(channel, length - ATTACHED)
    end = 4 + struct.unpack(">I", body[:4])[0]
    return {**json.loads(body[4:end]), "attachment": body[end:].hex()}


# ---- what it sends ----

def ready(members):
    """Its argument: further members of the message."""
    payload = {"ready": True, "protocol": 1, **json.loads(members or "{}")}
    outgoing.sendall(raw("ready", "extension-host-ready", payload))
    say("limits", json.dumps(read(outgoing)["payload"]))


def ready_once(members, marker):
    ready("" if os.path.exists(marker) else members)


def split(text):
    """One frame, byte by byte, so that the backend sees it in pieces."""
    for byte in framed(text.encode()):
        outgoing.sendall(bytes([byte]))


def attach(text):
    """A frame `hex text`: the text with these bytes beside it."""
    attachment, _, body = text.partition(" ")
    outgoing.sendall(attached(body.encode(), bytes.fromhex(attachment)))


def announce(length):
    outgoing.sendall(struct.pack(">I", int(length)))


def descriptor(_):
    """A descriptor that nobody asked for."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [2]))
    outgoing.sendmsg([raw("r", "log", {})], [rights])


def flood(count):
    """So many requests at once, and then all their answers."""
    outgoing.sendall(b"".join(raw(f"f{i}", "work", i) for i in range(int(count))))
    say("flood", json.dumps(outcomes(int(count))))


def outcomes(count):
    """How many of the next answers are replies, or have which code."""
    codes = []
    while len(codes) < count:
        message = read(outgoing)
        if message["type"].endswith(("-response", "-error")):
            codes.append((message["payload"] or {}).get("code", "reply"))
    return {code: codes.count(code) for code in set(codes)}


def send(count):
    """So many requests whose answers it does not read."""
    outgoing.sendall(b"".join(raw(f"s{i}", "work", i) for i in range(int(count))))


def send_large(text, message_id="l"):
    """So many of so many bytes each."""
    count, size = map(int, text.split())
    for i in range(count):
        outgoing.sendall(raw(message_id and f"{message_id}{i}", "work", "x" * size))


def notify(count):
    """So many that nobody answers."""
    outgoing.sendall(b"".join(raw("", "work", i) for i in range(int(count))))


def notify_without_end(_):
    while True:
        notify(100)


def ask(text):
    """A request `type payload`; prints its answers up to the last."""
    message_type, _, payload = text.partition(" ")
    outgoing.sendall(raw("asked", message_type, json.loads(payload or "{}")))
    say_answers()


def ask_attached(text):
    """The same for `hex type payload`, with these bytes beside it."""
    attachment, message_type, payload = text.split(" ", 2)
    body = raw("asked", message_type, json.loads(payload))[4:]
    outgoing.sendall(attached(body, bytes.fromhex(attachment)))
    say_answers()


def say_answers():
    while True:
        answer = read(outgoing)
        say("answer", json.dumps(answer))
        if not answer["type"].endswith("-partial"):
            return


# ---- what it does with the backend's requests ----

taken = []


def take(count):
    taken.extend(read(incoming) for _ in range(int(count or 1)))


def reply(_):
    request = taken.pop(0)
    incoming.sendall(raw(request["id"], request["type"] + "-response", request["payload"]))


def reply_twice(_):
    taken.insert(0, taken[0])
    reply(_)
    reply(_)


def reply_reversed(_):
    taken.reverse()
    while taken:
        reply(_)


def reply_unknown(count):
    for number in range(int(count)):
        incoming.sendall(raw(str(900_000_000 + number), "echo-response", {}))


def serve_one(request):
    answer = lambda suffix, payload: incoming.sendall(
        raw(request["id"], request["type"] + suffix, payload))
    kind, payload = request["type"], request["payload"]
    if request["id"] == "":
        say(kind, json.dumps(payload))
    elif kind == "hang":
        taken.append(request)
    elif kind == "partial":
        for step in range(3):
            answer("-partial", step)
        answer("-response", "done")
    elif kind == "late":  # answers what hangs, and then this
        reply("")
        answer("-response", {})
    elif kind == "fail":
        answer("-error", payload)
    elif kind == "exit":
        os._exit(payload)
    elif kind == "abort":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "environment":
        answer("-response", dict(os.environ))
    elif kind == "descriptors":
        answer("-response", sorted(int(name) for name in os.listdir("/proc/self/fd")))
    elif kind == "stop-reading":
        answer("-response", {})
        pause("")
    elif kind == "ask-often":  # {count, type, payload}; serve() drops the answers
        outgoing.sendall(b"".join(
            raw(f"o{i}", payload["type"], payload["payload"]) for i in range(payload["count"])))
        answer("-response", {})
    elif kind == "garbage":
        outgoing.sendall(framed(b"{]"))
    elif kind == "reply-unknown":
        reply_unknown(payload)
    elif kind == "orphan":
        answer("-response", {})
        leave_orphan(payload)
    elif kind == "close":
        close("")
        pause("")
    else:
        answer("-response", payload)


def serve(_):
    while True:
        message = read(incoming)
        if not message["type"].endswith(("-response", "-error")):
            serve_one(message)


# ---- how it goes ----

def leave_orphan(seconds):
    """A process of the same group that has all our descriptors, and a parent that has ended."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            time.sleep(seconds)
        os._exit(0)
    os.waitpid(child, 0)


def pause(_):
    while True:
        signal.pause()


def zombies(count):
    for _ in range(int(count)):
        if os.fork() == 0:
            os._exit(0)


def spin(_):
    while True:
        pass


def on_term(text):
    """Says so and goes on."""
    # Not by print, which the signal may interrupt.
    signal.signal(signal.SIGTERM, lambda *_: os.write(1, (text + "\n").encode()))


def daemon(_):
    """A process of a session of its own, whose parent is gone, with all that this one has open."""
    told, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            os.write(tell, str(os.getpid()).encode())
            pause("")
        os._exit(0)
    os.wait()
    say("daemon", os.read(told, 32).decode())


def shutdown_write(_):
    for channel in {incoming, outgoing}:
        channel.shutdown(socket.SHUT_WR)


def close(_):
    for channel in {incoming, outgoing}:
        channel.close()


STEPS = {
    "ready": ready,
    # With these members in the first process and without them in the next ones. The argument: `members file`.
    "ready-once": lambda text: ready_once(*text.split(" ", 1)),
    "frame": lambda text: outgoing.sendall(framed(text.encode())),
    "bytes": lambda text: outgoing.sendall(framed(bytes.fromhex(text))),
    "hex": lambda text: outgoing.sendall(bytes.fromhex(text)),
    "wrong": lambda text: incoming.sendall(framed(text.encode())),  # on the replies' connection
    "deep": lambda depth: outgoing.sendall(framed(b"[" * int(depth))),
    "split": split,
    "attach": attach,
    "announce": announce,
    "descriptor": descriptor,
    "flood": flood,
    "send": send,
    "outcomes": lambda count: say("outcomes", json.dumps(outcomes(int(count)))),
    "send-large": send_large,
    "notify": notify,
    "notify-large": lambda text: send_large(text, ""),
    "notify-without-end": notify_without_end,
    "ask": ask,
    "ask-attached": ask_attached,
    "take": take,
    "reply": reply,
    "reply-twice": reply_twice,
    "reply-reversed": reply_reversed,
    "reply-unknown": reply_unknown,
    "serve": serve,
    "pause": pause,
    "spin": spin,
    "zombies": zombies,
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "on-term": on_term,
    "daemon": daemon,
    "shutdown-write": shutdown_write,
    "close": close,
    "ignore-term": lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "print": say,
    "wait-for-writer": lambda fifo: open(fifo).close(),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    # Ends the first process with this code; the next one goes on behind it. The argument: `code file`.
    "exit-once": lambda text: exit_once(*text.split(" ", 1)),
    "exit": lambda code: os._exit(int(code)),
}


def exit_once(code, marker):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(int(code))


incoming, outgoing = connect()
for step in sys.argv[1:]:
    name, _, argument = step.partition(":")
    STEPS[name](argument)
