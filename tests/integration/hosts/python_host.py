#!/usr/bin/env python3
"""A Bulkhead host without Node: the wire protocol in the standard library of Python 3.9.

Commands: echo returns its arguments, upper its first one in capitals, and
ask sends the request args[0] with the payload args[1] to the backend.
"""
import json
import os
import platform
import socket
import struct
import sys

channel = socket.socket(fileno=int(os.environ.pop("BULKHEAD_IPC_FD")))
waiting = {}  # id of our own request: what to do with its reply
last_id = 0


def read_exactly(count):
    chunks = []
    while count > 0:
        chunk = channel.recv(min(count, 1 << 20))
        if not chunk:
            sys.exit(0)  # the backend is gone
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def read_message():
    (length,) = struct.unpack(">I", read_exactly(4))
    return json.loads(read_exactly(length))


def send(message_id, message_type, payload):
    message = {"id": message_id, "type": message_type, "payload": payload}
    frame = json.dumps(message).encode()
    channel.sendall(struct.pack(">I", len(frame)) + frame)


def request(message_type, payload, on_reply):
    global last_id
    last_id += 1
    waiting[str(last_id)] = on_reply
    send(str(last_id), message_type, payload)


def execute(message_id, payload):
    def done(result):
        send(message_id, "executeCommand-response", {"success": True, "result": result})

    command, args = payload["command"], payload.get("args", [])
    if command == "echo":
        done(args)
    elif command == "upper":
        done(args[0].upper())
    elif command == "ask":
        def relay(message):
            if message["type"].endswith("-error"):
                send(message_id, "executeCommand-error", message["payload"])
            else:
                done(message["payload"])
        request(args[0], args[1], relay)
    else:
        error = {"error": f"no command {command} is registered", "code": "unknown_command"}
        send(message_id, "executeCommand-error", error)


def serve(message):
    message_id, message_type = message["id"], message["type"]
    if message_type.endswith(("-response", "-error")) and message_id in waiting:
        waiting.pop(message_id)(message)
    elif message_id == "":
        pass  # a notification; `cancel` comes too late for commands this short
    elif message_type == "executeCommand":
        execute(message_id, message.get("payload", {}))
    elif message_type in ("activate-extension", "deactivate-extension"):
        send(message_id, message_type + "-response", {"success": True})
    elif message_type == "ping":
        send(message_id, "ping-response", {})
    else:
        error = {"error": f"{message_type} is not served", "code": "unsupported_request"}
        send(message_id, message_type + "-error", error)


ready = {"ready": True, "protocol": 1, "runtime": "python/" + platform.python_version()}
request("extension-host-ready", ready, lambda reply: None)
while True:
    serve(read_message())
