"""Passes a job's numbers on to Weights & Biases: JSON lines on stdin, answers as JSON lines on stdout.

Ends when stdin does, whatever wandb is doing: no rank leaves it behind.
"""
import json
import os
import queue
import signal
import sys
import threading

# Schedulers signal every process of a rank. The rank drains; this waits for its last numbers.
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
# `-c` puts the working folder first, and wandb leaves folders named wandb behind.
sys.path = [folder for folder in sys.path if folder]
# What others print goes to stderr.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
lines = queue.Queue()


def answer(**words):
    try:
        print(json.dumps(words), file=answers, flush=True)
    except OSError:
        pass  # The rank is gone; the end of stdin says so, too.


def read():
    for line in sys.stdin:
        lines.put(json.loads(line))
    # The kernel's own alarm: it ends this process even where wandb holds the interpreter.
    signal.alarm(25)
    lines.put({"finish": 1})


def serve():
    given = lines.get()
    try:
        import wandb
    except ImportError as error:
        return answer(error=f"the package wandb cannot be imported ({error})", missing=True)
    except Exception as error:
        return answer(error=f"the package wandb is broken ({type(error).__name__}: {error})", missing=True)
    os.environ.setdefault("WANDB_CONSOLE", "off")
    try:
        run = wandb.init(**given["init"])
    except BaseException as error:
        return answer(error=f"{type(error).__name__}: {error}")
    answer(ready=run.id, url=getattr(run, "url", None))
    while True:
        given = lines.get()
        if "finish" in given:
            run.finish(exit_code=given["finish"])
            return answer(finished=True)
        if "status" in given:
            table = wandb.Table(columns=["status", "frequency", "count"], data=given["status"])
            run.log({"status": table}, step=given["step"])
        else:
            run.log(given["log"], step=given["step"])


threading.Thread(target=read, daemon=True).start()
try:
    serve()
except BaseException as error:
    answer(error=f"{type(error).__name__}: {error}")
    raise
