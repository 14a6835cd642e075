"""The cache of compiled code: what was put comes back, what anybody altered or could have altered does not, and errors are silent."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chainrule.engines.native import cache as module
from chainrule.engines.native.cache import Cache, default_cache, key_of

KEY, OTHER = key_of("one"), key_of("another")
CODE = bytes(range(256)) * 20
POSIX = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are POSIX's")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "made" / "chainrule")


@pytest.fixture
def filled(cache):
    cache.put(KEY, CODE)
    assert cache.get(KEY) == CODE
    return cache


def entry(cache, key=KEY):
    return cache.folder / f"{key}.code"


def test_nothing_is_made_by_looking(cache):
    assert cache.get(KEY) is None
    assert not cache.folder.exists()


def test_what_was_put_comes_back_in_another_object_too(filled):
    filled.put(OTHER, b"")
    again = Cache(filled.folder)
    assert again.get(KEY) == CODE
    assert again.get(OTHER) == b""
    assert again.get(key_of("a third")) is None


def test_a_second_put_replaces_the_first(filled):
    filled.put(KEY, b"newer")
    assert filled.get(KEY) == b"newer"


@POSIX
def test_files_are_for_the_user_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        cache = Cache(tmp_path / "chainrule")
        cache.put(KEY, CODE)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [cache.folder, *cache.folder.iterdir()]}
    assert modes == {"chainrule": 0o700, "key": 0o600, entry(cache).name: 0o600}


# ---- names


def test_keys_depend_on_every_part_and_on_where_it_ends():
    names = [key_of(), key_of(""), key_of("", ""), key_of("ab"), key_of("a", "b"), key_of("b", "a"), key_of("a", "b", "")]
    assert len(set(names)) == len(names)
    assert key_of("a", "ü") == key_of("a", "ü")


def test_keys_depend_on_the_format(monkeypatch):
    before = key_of("a")
    monkeypatch.setattr(module, "MAGIC", b"another!")
    assert key_of("a") != before


# ---- altered entries


def test_a_changed_bit_anywhere_makes_the_entry_absent(filled):
    path = entry(filled)
    good = path.read_bytes()
    places = [
        *range(8 + 32 + 3),
        len(good) // 2,
        len(good) - 1,
    ]  # all of magic and signature, and of the code begin, middle, end
    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert filled.get(KEY) is None, place
    path.write_bytes(good)
    assert filled.get(KEY) == CODE


def test_truncated_and_lengthened_entries_are_absent_and_overwritten(filled):
    path = entry(filled)
    good = path.read_bytes()
    for content in [*(good[:length] for length in (0, 7, 8, 20, 39, 40, 41, len(good) - 1)), good + b"\0", good + good]:
        path.write_bytes(content)
        assert filled.get(KEY) is None, len(content)
        filled.put(KEY, CODE)
        assert filled.get(KEY) == CODE


def test_an_entry_under_another_name_is_absent(filled):
    entry(filled).rename(entry(filled, OTHER))
    assert filled.get(OTHER) is None


def test_an_entry_signed_with_another_key_is_absent(filled, tmp_path):
    foreign = Cache(tmp_path / "foreign")
    foreign.put(KEY, b"evil")
    entry(filled).write_bytes(entry(foreign).read_bytes())
    assert filled.get(KEY) is None


def test_a_new_key_makes_old_entries_absent(filled):
    (filled.folder / "key").unlink()
    assert filled.get(KEY) is None
    filled.put(OTHER, CODE)
    assert (filled.get(KEY), filled.get(OTHER)) == (None, CODE)


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_key_signs_nothing_and_is_made_anew(filled, content):
    secret = filled.folder / "key"
    good = entry(filled).read_bytes()
    secret.write_bytes(content)
    # Even an entry that this broken key did sign.
    entry(filled).write_bytes(module.MAGIC + module._signature(content, KEY, CODE) + CODE)
    assert filled.get(KEY) is None
    entry(filled).write_bytes(good)
    filled.put(OTHER, CODE)
    assert (filled.get(KEY), filled.get(OTHER)) == (None, CODE)
    assert len(secret.read_bytes()) == 32


# ---- others who could have written


@POSIX
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_write_to_is_not_used(filled, mode):
    filled.folder.chmod(mode)
    assert filled.get(KEY) is None
    filled.put(OTHER, CODE)
    assert not entry(filled, OTHER).exists()
    filled.folder.chmod(0o755)  # to be read by others does no harm
    assert filled.get(KEY) == CODE


@POSIX
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o640, 0o604])
def test_a_key_that_others_read_or_write_is_not_used(filled, mode):
    (filled.folder / "key").chmod(mode)
    assert filled.get(KEY) is None
    filled.put(OTHER, CODE)
    assert not entry(filled, OTHER).exists()


@POSIX
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_an_entry_that_others_write_to_is_absent_and_overwritten(filled, mode):
    entry(filled).chmod(mode)
    assert filled.get(KEY) is None
    filled.put(KEY, CODE)
    assert filled.get(KEY) == CODE


@POSIX
def test_what_belongs_to_another_user_is_not_used(filled, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: filled.folder.stat().st_uid + 1)
    assert filled.get(KEY) is None
    filled.put(OTHER, CODE)
    assert not entry(filled, OTHER).exists()


@POSIX
def test_links_and_pipes_in_place_of_files_are_absent(filled, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    entry(filled).rename(elsewhere)
    entry(filled).symlink_to(elsewhere)
    assert filled.get(KEY) is None
    entry(filled).unlink()
    os.mkfifo(entry(filled), 0o600)
    assert filled.get(KEY) is None  # and does not wait for a writer
    pipe = os.open(entry(filled), os.O_RDWR)
    os.write(pipe, elsewhere.read_bytes())  # not even what would be right in a file
    assert filled.get(KEY) is None
    os.close(pipe)
    filled.put(KEY, CODE)
    assert filled.get(KEY) == CODE


# ---- errors of the file system


def test_a_file_where_the_folder_should_be_is_a_silent_miss(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "chainrule")
    cache.put(KEY, CODE)
    assert cache.get(KEY) is None


def test_a_folder_that_cannot_be_written_still_serves(filled, monkeypatch):
    def fail(*_arguments, **_options):
        raise PermissionError(13, "read-only")

    for call in ("os.utime", "tempfile.mkstemp"):  # not by chmod: root writes everywhere
        monkeypatch.setattr(call, fail)
    filled.put(OTHER, CODE)
    assert (filled.get(KEY), filled.get(OTHER)) == (CODE, None)


@pytest.mark.parametrize(
    "call", ["os.replace", "os.link", "os.fdopen", "tempfile.mkstemp", "os.utime", "os.scandir", "os.listdir"]
)
def test_errors_of_the_system_are_silent_and_leave_nothing_half_done(tmp_path, monkeypatch, call):
    def fail(*_arguments, **_options):
        raise OSError(28, "no space left on device")

    cache = Cache(tmp_path / "chainrule")
    with monkeypatch.context() as broken:
        broken.setattr(call, fail)
        cache.put(KEY, CODE)
        assert cache.get(KEY) in {None, CODE}
    assert not list(cache.folder.glob("*.part"))
    cache.put(KEY, CODE)
    assert cache.get(KEY) == CODE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_silent_and_leaves_no_part_behind(filled, monkeypatch):
    real = os.fdopen

    def full(handle, mode):
        return real(handle, mode) if mode == "rb" else Full(handle)

    class Full:
        def __init__(self, handle):
            os.close(handle)
            self.file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115

        def __enter__(self):
            return self.file

        def __exit__(self, *_):
            self.file.close()

    monkeypatch.setattr(os, "fdopen", full)
    filled.put(OTHER, CODE)
    assert (filled.get(KEY), filled.get(OTHER)) == (CODE, None)
    assert not list(filled.folder.glob("*.part"))


# ---- size


def sized(tmp_path, limit, count):
    """Entries of 1000 bytes and more, each used a second after the one before."""
    cache = Cache(tmp_path / "chainrule", limit)
    for number in range(count):
        cache.put(key_of(str(number)), bytes(1000))
        path = entry(cache, key_of(str(number)))
        if path.exists():
            os.utime(path, (1e9 + number, 1e9 + number))
    return cache


def test_the_oldest_go_when_the_limit_is_passed(tmp_path):
    cache = sized(tmp_path, 3200, 5)  # three of 1040 fit
    assert [entry(cache, key_of(str(number))).exists() for number in range(5)] == [False, False, True, True, True]
    assert sum(path.stat().st_size for path in cache.folder.glob("*.code")) <= cache.limit


def test_use_keeps_an_entry(tmp_path):
    cache = sized(tmp_path, 3200, 3)
    assert cache.get(key_of("0")) is not None
    cache.put(key_of("new"), bytes(1000))
    assert [entry(cache, key_of(name)).exists() for name in ("0", "1", "2", "new")] == [True, False, True, True]


def test_what_is_larger_than_the_whole_is_not_kept_and_drives_nothing_out(tmp_path):
    cache = sized(tmp_path, 3200, 3)
    cache.put(KEY, bytes(3201))
    assert cache.get(KEY) is None
    assert len(list(cache.folder.glob("*.code"))) == 3


def test_only_own_files_are_deleted_and_parts_of_dead_processes_go(tmp_path):
    cache = sized(tmp_path, 3200, 1)
    stranger, young, old = (cache.folder / name for name in ("notes.txt", "young.part", "old.part"))
    for path in (stranger, young, old):
        path.write_bytes(bytes(5000))
    for path in (stranger, old):
        os.utime(path, (time.time() - 7200,) * 2)
    cache = Cache(cache.folder, 3300)  # as another process: what lies there is looked at by its first put
    cache.put(KEY, CODE[:1000])
    assert (stranger.exists(), young.exists(), old.exists()) == (True, True, False)
    assert cache.get(KEY) == CODE[:1000]


def test_the_usual_limit():
    assert Cache(Path("unused")).limit == 200_000_000


# ---- several at once

WRITER = """
import sys
from pathlib import Path
from chainrule.engines.native.cache import Cache, key_of
cache = Cache(Path(sys.argv[1]), limit=60_000)
for turn in range(25):
    for name in "abcdefgh":
        key = key_of(name)
        found = cache.get(key)
        assert found is None or found == name.encode() * 10_000, "torn"
        cache.put(key, name.encode() * 10_000)
print("fine")
"""


def test_processes_at_once_never_see_half_an_entry_and_agree_on_one_key(tmp_path):
    folder = tmp_path / "chainrule"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [writer.communicate(timeout=60) for writer in writers] == [(b"fine\n", b"")] * 3
    kept = [path for path in folder.iterdir() if path.name != "key"]
    assert kept
    assert all(path.suffix == ".code" for path in kept)
    cache = Cache(folder)
    assert all(cache.get(path.stem) is not None for path in kept)


def test_threads_that_make_the_key_at_once_agree_on_it(tmp_path):
    for attempt in range(20):
        cache = Cache(tmp_path / str(attempt))
        start = threading.Barrier(8)

        def write(number, cache=cache, start=start):
            start.wait()
            cache.put(key_of(str(number)), CODE)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(cache.get(key_of(str(number))) == CODE for number in range(8))


# ---- which folder


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in ("CHAINRULE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return monkeypatch


def test_the_usual_folders(environment, tmp_path):
    assert default_cache().folder == tmp_path / ".cache" / "chainrule"
    environment.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert default_cache().folder == tmp_path / "shared" / "chainrule"
    environment.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache().folder == tmp_path / ".cache" / "chainrule"
    environment.setattr(sys, "platform", "darwin")
    assert default_cache().folder == tmp_path / "Library" / "Caches" / "chainrule"


def test_a_folder_of_the_users_choice_and_none(environment, tmp_path):
    environment.setenv("CHAINRULE_CACHE", str(tmp_path / "chosen"))
    assert default_cache().folder == tmp_path / "chosen"
    environment.setenv("CHAINRULE_CACHE", "~/chosen")
    assert default_cache().folder == tmp_path / "chosen"
    environment.setenv("CHAINRULE_CACHE", "")
    assert default_cache().folder == tmp_path / ".cache" / "chainrule"
    environment.chdir(tmp_path)
    environment.setenv("CHAINRULE_CACHE", "here")
    assert default_cache().folder == tmp_path / "here"
    environment.setenv("CHAINRULE_CACHE", "off")
    assert default_cache() is None


def test_no_home_is_no_cache(environment):
    def lost():
        raise RuntimeError("Could not determine home directory.")

    environment.setattr(Path, "home", lost)
    assert default_cache() is None
