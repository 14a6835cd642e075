"""Mutants of run folders: any file with any bytes. Run as a program, in a process that may write nothing and has little memory."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application
from chainrule.cli.runs import record
from chainrule.cli.saved import saved_engine, saved_environment
from chainrule.errors import ChainruleError
from chainrule.train import RunFolder
from chainrule.train.sealed import SEAL, sealed

MEMORY, SECONDS = 1 << 30, 20
HOSTILE = [
    None, True, False, -1, 0, 1, 2, 7, 10**9, 10**18, -(10**30), 10**400, 0.5, -0.0, 1e308, 1e-320, "", "a", "\0", "\ud800", "../..",
    "9" * 5000, "nan", [], {}, [[]], [0], [None], {"kind": "SGD"}, {"kind": "Dense"}, [[1, 2], [3]], "float64", "native",
]  # fmt: skip


WHOLE = [b"", b"3", b"null", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000, b"\0" * 1000]


# ---- folders to begin with


def make_bases(place: Path) -> list[Path]:
    """Small runs of every sort: tables, texts, pictures; with replicas, early stopping, an own start, a branch; and old ones."""
    place.mkdir(parents=True)
    table = place / "rows.csv"
    rows = "\n".join(f"{i % 7},{'abc'[i % 3]},{'yes' if i % 2 else 'no'}" for i in range(60))
    table.write_text(f"size,kind,answer\n{rows}\n")
    source = {"name_or_path": str(table), "target": "answer", "split": cr.data.StratifiedSplit(test=0.2, validation=0.2)}
    small = {"engine": "reference", "epochs": 2, "batch_size": 12}
    drop = cr.Sequential(cr.Dense(3, "relu"), cr.Dropout(0.2), cr.BatchNorm(), cr.Dense(2, "softmax"))
    text = cr.data.next_character("abc abd " * 8, length=4, encoding="ids", test=0)
    memory = cr.Sequential(cr.Embedding(text.target_size, 3), cr.LSTM(3), cr.Dense(text.target_size, "softmax"))
    picture = cr.data.from_arrays(np.arange(24 * 16).reshape(24, 4, 4, 1) % 7 / 7.0, np.arange(24) % 2)
    runs = [
        cr.fit(
            drop,
            source,
            replicas=2,
            optimizer=cr.Adam(cr.Cosine(0.01)),
            early_stopping=cr.EarlyStopping(),
            folder=place / "a",
            **small,
        ),
        cr.fit(memory, text, clip=cr.ClipNorm(1.0), folder=place / "b", **small),
        cr.fit(
            "4x4x1-conv3x3x2-flatten-2",
            picture,
            loss=cr.nn.objective("cross_entropy_from_logits") + cr.nn.L2(0.1),
            folder=place / "c",
            **small,
        ),
    ]
    code = cr.Sequential(cr.Dense(3), lambda x: cr.ops.sin(x) + x, cr.Dropout(0.1), cr.BatchNorm(), cr.Dense(2, "softmax"))
    runs.append(cr.fit(code, source, folder=place / "e", **small))
    branch = cr.fit("2-3-2 tanh", cr.data.moons(24), initial={"dense2.b": np.ones(2)}, **small).branch(2, folder=place / "d")
    bases = [*(run.folder for run in runs), branch.folder]
    for base in bases:
        (base / "lock").unlink(missing_ok=True)
    for base in list(bases):
        old = base.with_name(f"{base.name}_old")
        shutil.copytree(base, old)
        for path in (*old.glob("*.json"), *(old / "snapshots").glob("*.json")):
            path.write_text(
                json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key not in {SEAL, "history"}})
            )
        bases.append(old)
    return bases


# ---- mutation


class Mutator:
    """Changes a folder, held as a mapping from file to bytes; `sealed_anew` says whether the change was given a seal that fits."""

    def __init__(self, seed: int) -> None:
        self.random, self.sealed_anew = random.Random(seed), False

    def mutate(self, files: dict[str, bytes]) -> dict[str, bytes | None]:
        """The files that change, None for one that is taken away."""
        changed: dict[str, bytes | None] = {}
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            name = self.random.choice(sorted(files))
            content = changed.get(name, files[name]) or b""
            structured = self.random.random() < 0.6
            new = self.structure(name, content) if structured else None
            if new is None:
                changed[name] = self.bytes_of(content, files)
            else:
                changed[name] = new
                self.sealed_anew = True
                self.reseal(name, new, files, changed)
        return changed

    def bytes_of(self, content: bytes, files: dict[str, bytes]) -> bytes | None:
        draw, size = self.random, len(content)
        i, j = sorted((draw.randrange(size + 1), draw.randrange(size + 1)))
        return draw.choice(
            [
                lambda: content[:i] + bytes([draw.randrange(256)]) + content[i + 1 :],
                lambda: content[:i] + bytes([content[i] ^ 1 << draw.randrange(8)]) + content[i + 1 :] if i < size else content,
                lambda: content[:i],
                lambda: content[:i] + content[j:],
                lambda: content[:j] + content[i:],
                lambda: content[:i] + draw.randbytes(draw.randrange(1, 9)) + content[i:],
                lambda: content[:i] + bytes(j - i) + content[j:],
                lambda: draw.choice(WHOLE),
                lambda: files[draw.choice(sorted(files))],
                lambda: b"".join(draw.sample(lines := content.splitlines(keepends=True), len(lines))),
                lambda: None,
            ]
        )()  # fmt: skip

    def structure(self, name: str, content: bytes) -> bytes | None:
        """A change that knows what the file is; None where the content is no longer that."""
        try:
            if name.endswith(".json"):
                return sealed({key: item for key, item in dict(self.tree(json.loads(content))).items() if key != SEAL})
            if name.endswith(".jsonl"):
                lines = content.splitlines()
                place = self.random.randrange(len(lines))
                lines[place] = json.dumps(self.tree(json.loads(lines[place]))).encode()
                return b"\n".join(lines) + b"\n"
            (length,) = struct.unpack("<Q", content[:8])
            header = json.dumps(self.tree(json.loads(content[8 : 8 + length]))).encode()
            said = self.random.choice([len(header), len(header), len(header), 0, 1 << 40, (1 << 64) - 1, length])
            return struct.pack("<Q", said) + header + content[8 + length :]
        except (ValueError, TypeError, IndexError, struct.error, RecursionError):
            return None

    def tree(self, document: object) -> object:
        """A JSON document with something else in one place."""
        draw, place, key, holder = self.random, document, None, None
        while isinstance(place, dict | list) and place and (holder is None or draw.random() < 0.8):
            holder = place
            key = draw.choice(sorted(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
            place = holder[key]
        if holder is None:
            return draw.choice(HOSTILE)
        what = draw.randrange(8)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(place, int | float):
            holder[key] = draw.choice([-place, place + 1, place * 2, place * 10**6, float(place)])
        elif what == 2 and isinstance(place, list):
            holder[key] = place * draw.choice([2, 3, 1001])
        elif what == 3 and isinstance(holder, dict):
            holder[f"{key}s"] = holder.pop(key)
        elif what == 4:
            nest: object = draw.choice(HOSTILE)
            for _ in range(draw.choice([1, 3, 60, 400])):
                nest = draw.choice([[nest], {str(key): nest}])
            holder[key] = nest
        else:
            holder[key] = draw.choice(HOSTILE)
        return document

    def reseal(self, name: str, new: bytes, files: dict[str, bytes], changed: dict[str, bytes | None]) -> None:
        """Lets the hashes that heads name fit a changed history or changed arrays."""
        if name.endswith(".json"):
            return
        for head in [other for other in files if other.startswith("snapshots/") and other.endswith(".json")]:
            try:
                found = json.loads(changed.get(head, files[head]) or b"")
                found.pop(SEAL, None)
                if name.endswith(".jsonl") and "history" in found:
                    found["history"] = {"bytes": len(new), "sha256": hashlib.sha256(new).hexdigest()}
                elif name == head.removesuffix("json") + "safetensors":
                    found["sha256"] = hashlib.sha256(new).hexdigest()
                else:
                    continue
                changed[head] = sealed(found)
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue


# ---- what is asked of a mutant


class Asked:
    """Asks a folder all that its files can change."""

    def __init__(self, base: Path) -> None:
        run = cr.open_run(base)
        self.x = np.zeros((2, *run.dataset_info.input_shape), dtype=run.dataset_info.input_dtype)
        self.right = self.answers(base)

    def answers(self, folder: Path, *, all_of_them: bool = True) -> dict[str, object]:
        """What comes out of each question: an answer, or "refused" for one message. Everything else is let through."""
        run = _answer(lambda: cr.open_run(folder))
        known = run != "refused"
        found = {
            "outputs": _answer(lambda: run.predict(self.x).tobytes()) if known else "refused",
            "history": _answer(lambda: _history(run)) if known else "refused",
            "settings": (repr(run.settings), repr(run.dataset_info)) if known else "refused",
            "notes": _answer(lambda: (saved_engine(RunFolder.open(folder)), saved_environment(RunFolder.open(folder)))),
            "list": _answer(lambda: repr(record(folder))),
        }
        if all_of_them:
            found["show"] = _shown("show", str(folder))
            found["code"] = _shown("show", str(folder), "--stage", "code")
            # How large data are is for their makers to say: here they may ask for more than there is.
            found["scores"] = _answer(lambda: repr(run.evaluate("training").loss), may_ask=True) if known else "refused"
        return found

    def check(self, folder: Path, *, must_be_right: bool, all_of_them: bool) -> bool:
        """Whether the run was refused. Raises AssertionError for an answer that is neither right nor refused."""
        answers = self.answers(folder, all_of_them=all_of_them)
        if must_be_right:
            wrong = [
                name
                for name in ("outputs", "history", "settings", "scores")
                if answers.get(name, "refused") not in ("refused", self.right[name])
            ]
            assert not wrong, f"{wrong}: {answers} instead of {self.right}"
        return answers["settings"] == "refused"


def _history(run: cr.Run) -> object:
    return run.history.steps().tobytes(), [epoch.to_json() for epoch in run.history.epochs]


def _answer(ask, *, may_ask=False):
    try:
        return ask()
    except ChainruleError as error:
        told = error
    chain: list[BaseException | None] = [told]
    while chain[-1] is not None:
        chain.append(chain[-1].__cause__)
    assert may_ask or not any(isinstance(cause, MemoryError) for cause in chain), (
        f"more than {MEMORY} bytes were asked for: {told}"
    )
    assert "Traceback" not in str(told)
    return "refused"


def _shown(*words: str) -> str:
    result = CliRunner().invoke(application, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in {0, 2}
    if result.exit_code == 2:
        assert result.stderr.count("error:") == 1, result.stderr
        return "refused"
    return result.stdout


# ---- the process


WRITES = {
    "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod", "os.system", "os.exec",
    "subprocess.Popen", "socket.connect", "shutil.rmtree", "pickle.find_class",
}  # fmt: skip
_watching = False


def _watch(event: str, arguments: tuple) -> None:
    if not _watching:
        return
    wrote = event in WRITES
    if event == "open":
        path, _, flags = arguments
        wrote = (
            isinstance(path, str | bytes) and (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path) != os.devnull
        )
    if wrote and not any(str(argument).startswith(os.environ["CHAINRULE_CACHE"]) for argument in arguments):
        raise AssertionError(f"a reader did {event} {arguments}")


def main(place: Path, first: int, count: int) -> None:
    """Asks `count` mutants; prints a line of JSON for each that went wrong, and one for all."""
    global _watching
    os.environ["CHAINRULE_CACHE"] = str(place / "cache")  # machine code may be kept there
    warnings.simplefilter("error")
    warnings.filterwarnings(
        "ignore", "overflow encountered in cast"
    )  # a constant beyond float32 is infinite there, and said to be
    bases = make_bases(place / "bases")
    asked = [Asked(base) for base in bases]
    sys.addaudithook(_watch)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    refused = wrong = 0
    for seed in range(first, first + count):
        base = seed % len(bases)
        files = {str(path.relative_to(bases[base])): path.read_bytes() for path in bases[base].rglob("*") if path.is_file()}
        mutator = Mutator(seed)
        changed = mutator.mutate(files)
        mutant = place / f"mutant{seed}"
        for name, content in {**files, **changed}.items():
            if content is not None:
                (mutant / name).parent.mkdir(parents=True, exist_ok=True)
                (mutant / name).write_bytes(content)
        signal.alarm(SECONDS)
        _watching = True
        try:
            # A head that is gone leaves an older state, as a crash before it was written does.
            older = any(content is None and name.startswith("snapshots/") for name, content in changed.items())
            must_be_right = not (mutator.sealed_anew or older or bases[base].name.endswith("_old"))
            refused += asked[base].check(mutant, must_be_right=must_be_right, all_of_them=seed // len(bases) % 4 == 0)
        except BaseException as error:  # each is a finding
            _watching = False
            wrong += 1
            said = f"{type(error).__name__}: {error}"[:400]
            print(json.dumps({"seed": seed, "files": sorted(changed), "error": said, "where": _place(error)}), flush=True)
        finally:
            _watching = False
            signal.alarm(0)
            shutil.rmtree(mutant, ignore_errors=True)
    print(json.dumps({"mutants": count, "refused": refused, "wrong": wrong}))


def _place(error: BaseException) -> str:
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""


def _too_long(*_: object) -> None:
    raise AssertionError(f"more than {SECONDS} s")


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # of what is loaded while nothing may be written
    signal.signal(signal.SIGALRM, _too_long)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
