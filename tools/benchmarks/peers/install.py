#!/usr/bin/env python3
"""Installs the peers of the benchmark below a folder, and says how to run each: one line of JSON for each peer, with
its `command`, or with why it was `skipped`. Does nothing for a peer that is up to date. Versions are pinned by the
files beside this one.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent
BOOTSTRAP = PEERS.parents[2] / "platform" / "node" / "bootstrap.js"

# The Rust peer compiles 200 crates: minutes on a small machine.
STEP_TIMEOUT_S = 1800
# A step that takes longer says so.
SILENT_S = 2

# What npm, Go and Cargo say when they reach nothing.
NETWORK = re.compile(r"could not resolve|no such host|getaddrinfo|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|dial tcp|"
                     r"connection refused|network is unreachable|spurious network|failed to download", re.IGNORECASE)


class Skip(Exception):
    """Why a peer is not there, and what helps: one line."""


# ---- steps --------------------------------------------------------------------------------------


def tool(name, product, at_least):
    """The path of a program, which is not older than that."""
    found = shutil.which(name)
    remedy = f"install {product} {'.'.join(map(str, at_least))} or newer to compare with it"
    if found is None:
        raise Skip(f"{name} is not installed: {remedy}")
    ask = "version" if name == "go" else "--version"
    printed = subprocess.run([found, ask], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)\.(\d+)", printed)
    if version is None:
        raise Skip(f"{found} does not say which version it is: {remedy}")
    if tuple(map(int, version.groups())) < at_least:
        raise Skip(f"{name} {version[0]} is too old: {remedy}")
    return found


def telling_line(output):
    """The first line that begins with an error, otherwise the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    naming = [line for line in lines if re.match(r"(npm )?(error|ERR!)", line)]
    return (naming or lines[-1:] or ["it printed nothing"])[0]


def step(what, argv, folder, log):
    """Runs a command of an installation."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            try:
                process.wait(SILENT_S)
            except subprocess.TimeoutExpired:
                print(f"{what} ... ({log} grows)", file=sys.stderr, flush=True)
                process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Skip(f"{what} took longer than {STEP_TIMEOUT_S // 60} minutes: see {log}") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        printed = log.read_text(encoding="utf-8", errors="replace")
        remedy = "check the network and the proxy settings" if NETWORK.search(printed) else f"see {log}"
        raise Skip(f"{what} failed ({telling_line(printed)}): {remedy}")


# ---- peers --------------------------------------------------------------------------------------


class Built:
    """A peer that has to be built: its sources, what they need, and what comes of it in its folder."""

    def __init__(self, sources, result, build):
        self.sources = sources
        self.result = result
        self.build = build

    def digest(self):
        digest = hashlib.sha256()
        for file in sorted(file for pattern in self.sources for file in PEERS.glob(pattern)):
            digest.update(f"{file.name}\n".encode() + file.read_bytes())
        return digest.hexdigest()

    def installed(self, folder, may_build):
        """The path of the result."""
        stamp = folder / "built-from"
        result = folder / self.result
        digest = self.digest()
        if result.exists() and stamp.exists() and stamp.read_text() == digest:
            return str(result)
        if not may_build:
            raise Skip("it is not installed: run install.py without --list")
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        self.build(folder)
        stamp.write_text(digest)
        return str(result)


def build_jsonrpc(folder):
    npm = tool("npm", "npm", (7, 0))
    for pattern in JSONRPC.sources:
        for file in PEERS.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    step("installing vscode-jsonrpc", [npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=1"], folder,
         folder / "install.log")


def build_go_plugin(folder):
    go = tool("go", "Go", (1, 24))
    step("building go_plugin", [go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o",
                                str(folder / GO_PLUGIN.result), "."], PEERS / "go_plugin", folder / "build.log")


def build_dscode(folder):
    cargo = tool("cargo", "Rust", (1, 89))
    step("building dscode", [cargo, "build", "--release", "--locked", "--target-dir", str(folder)], PEERS / "dscode",
         folder / "build.log")


JSONRPC = Built(["measure.js", "jsonrpc*.js", "package*.json"], "jsonrpc.js", build_jsonrpc)
GO_PLUGIN = Built(["go_plugin/*"], "go-plugin-peer", build_go_plugin)
DSCODE = Built(["dscode/Cargo.*", "dscode/src/*"], "release/dscode-peer", build_dscode)


def node():
    return tool("node", "Node.js", (18, 0))


def fork_ipc(_):
    return [node(), str(PEERS / "fork_ipc.js")]


def jsonrpc(installed):
    return [node(), installed("jsonrpc", JSONRPC)]


def go_plugin(protocol):
    return lambda installed: [installed("go_plugin", GO_PLUGIN), "--protocol", protocol]


def dscode(installed):
    node()
    tool("bwrap", "bubblewrap", (0, 4))  # without it the crate limits Node to less than it starts with
    return [installed("dscode", DSCODE), "--bootstrap", str(BOOTSTRAP), "--extension", str(PEERS / "dscode" / "echo")]


COMMANDS = {
    "fork_ipc": fork_ipc,
    "jsonrpc": jsonrpc,
    "go_plugin_grpc": go_plugin("grpc"),
    "go_plugin_netrpc": go_plugin("netrpc"),
    "dscode": dscode,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", required=True, type=Path, metavar="DIR", help="where the peers are installed")
    parser.add_argument("--list", action="store_true", help="install nothing; say what is there")
    given = parser.parse_args()
    into = given.into.resolve()
    failed = {}  # a folder's failure is that of all peers which share it

    def installed(name, peer):
        if name not in failed:
            try:
                return peer.installed(into / name, not given.list)
            except Skip as reason:
                failed[name] = reason
            except OSError as error:
                failed[name] = Skip(f"{error.strerror} ({error.filename}): name a folder that can be written to")
        raise failed[name]

    for name, command in COMMANDS.items():
        try:
            answer = {"command": command(installed)}
        except Skip as reason:
            answer = {"skipped": str(reason)}
        print(json.dumps({"peer": name, **answer}), flush=True)


if __name__ == "__main__":
    main()
