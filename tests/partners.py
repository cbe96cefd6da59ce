"""Starts the daemon, and each receiver of the guide in turn: it gets an event, the same event again,
and a request that nobody signed. Run by tests/partners."""

import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HOOKS, TOOLS = sys.argv[1:]
GUIDE = pathlib.Path("receiver/docs/other-languages.md").read_text()
PATIENCE = 10
ORDER = {"id": "ord_1", "object": "order", "status": "filled", "filled_quantity": "10.50"}


def listing(language):
    """The program in the guide."""
    return re.search(f"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)[1]


def wait_for(what, question):
    """Asks until the answer is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := question()):
        if time.monotonic() > end:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(0.05)
    return answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hooks(*arguments, **keywords):
    """One command against the daemon, and the JSON it prints."""
    done = subprocess.run([HOOKS, *arguments, "--json"], stdout=subprocess.PIPE, **keywords)
    if done.returncode != 0:
        sys.exit(f"{arguments} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def forged(port):
    """The status that a request gets which nobody signed."""
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(time.time())),
        # On an entry without a comma, the library raises what is not its own error.
        "webhook-signature": "junk v1,AAAA",
    }
    url = f"http://127.0.0.1:{port}/webhooks"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, b"{}", headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def unbounded(port):
    """The status of a request that would be read without end, if its length was believed."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n")
        return int(connection.recv(100).split()[1])


def partner(name, command, folder):
    """Plays one receiver through; gives what it printed."""
    port = free_port()
    webhook = hooks("webhooks", "create", "--url", f"http://127.0.0.1:{port}/", "--events", "order.*")
    webhook = webhook[0]
    print(f"-- {name}", flush=True)
    printed = folder / f"{name}.out"
    environment = {**os.environ, "BLUUM_WEBHOOK_SECRET": webhook["secret"], "PORT": str(port)}
    with printed.open("w") as out:
        receiver = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        wait_for(f"{name} to listen", lambda: listens(port))
        event = hooks("events", "publish", "order.filled", "--data", json.dumps(ORDER))[0]
        answered = lambda times: [
            delivery["id"]
            for delivery in hooks("deliveries", "list", webhook["id"])[0]["data"]
            if (delivery["status"], delivery["attempt_count"]) == ("delivered", times)
        ]
        [delivery] = wait_for("the delivery", lambda: answered(1))
        hooks("deliveries", "replay", delivery)
        wait_for("the replay", lambda: answered(2))
        if forged(port) != 400:
            sys.exit(f"{name} took what nobody signed")
        if not 400 <= (status := unbounded(port)) < 500:
            sys.exit(f"{name} answered {status} to a body of -1 bytes")
        hooks("webhooks", "delete", webhook["id"])
    finally:
        receiver.terminate()
        receiver.wait()
        text = printed.read_text()
        if sys.exc_info()[0]:
            print(text, file=sys.stderr)
    return event["id"], text


def play(folder):
    (folder / "receiver.py").write_text(listing("python"))
    partner("Python", [sys.executable, "receiver.py"], folder)
    fills = sqlite3.connect(folder / "partner.db").execute("SELECT * FROM fills").fetchall()
    if fills != [("ord_1", "10.50")]:
        sys.exit(f"Python stored {fills}")
    if shutil.which("node") is None:
        print("-- Node is not installed, its receiver is passed over")
        return
    (folder / "receiver.mjs").write_text(listing("javascript"))
    (folder / "node_modules").symlink_to(pathlib.Path(TOOLS) / "node_modules")
    event, printed = partner("Node", ["node", "receiver.mjs"], folder)
    if printed.count(f"{event} order.filled ord_1\n") != 1:
        sys.exit(f"Node printed {printed}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    database = ["--database", f"sqlite:{folder}/hooks.db"]
    tenant = hooks("init", *database)[0]["tenant"]
    os.environ["BLUUM_API_KEY"] = tenant["api_key"]
    os.environ["BLUUM_API_SECRET"] = tenant["api_secret"]
    serve = [HOOKS, "serve", "--listen", "127.0.0.1:0", "--allow-target", "127.0.0.0/8", *database]
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = next(line for line in daemon.stdout if line.startswith("listening on "))
        os.environ["BLUUM_BASE_URL"] = line.removeprefix("listening on ").strip()
        play(folder)
    finally:
        daemon.terminate()
        daemon.wait()
