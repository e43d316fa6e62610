# Python's filelock and os.replace. Arguments: which, what is to be done, the file, and what that needs.
import itertools, json, os, sys, time

import filelock

deed, path, *rest = sys.argv[2:]


def sync(path):
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def put(staged, name, text):
    with open(staged, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, name)
    sync(os.path.dirname(name))


def update(change, folder=None, number=0):
    with filelock.FileLock(path + ".lock"):
        with open(path) as file:
            everything = json.load(file)
        change(everything)
        text = json.dumps(everything, indent=2 if folder else None)
        if folder:
            put(folder + "/.new", folder + "/" + str(number), text)
        put(path + ".tmp", path, text)


def replace(name):
    with open(name) as file:
        text = file.read()
    with filelock.FileLock(path + ".lock"):
        put(path + ".tmp", path, text)


if deed == "contend":
    name, count = rest
    for _ in range(int(count)):
        update(lambda everything: everything.setdefault(name, []).append(1))
elif deed == "alone":
    folder, count = rest
    for number in range(int(count) + 1):
        if number == 1:
            begun = time.perf_counter()
        update(lambda everything: everything.update(version=number), folder, number)
    print(time.perf_counter() - begun)
elif deed == "once":
    replace(*rest)
else:
    for name in itertools.cycle(rest):
        replace(name)
