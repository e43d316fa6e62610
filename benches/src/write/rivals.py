# Python's filelock with os.replace, and atomicwrites, which locks nothing. Arguments: which, what is to be done, the file, and what that needs.
import contextlib, itertools, json, os, sys, time

rival, deed, path, *rest = sys.argv[1:]
if rival == "atomicwrites":
    import atomicwrites
else:
    import filelock


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


def save(text):
    if rival == "atomicwrites":
        # It syncs the file and the folder by itself.
        with atomicwrites.atomic_write(path, overwrite=True) as file:
            file.write(text)
    else:
        put(path + ".tmp", path, text)


def under():
    return contextlib.nullcontext() if rival == "atomicwrites" else filelock.FileLock(path + ".lock")


def update(change, folder=None, number=0):
    with under():
        with open(path) as file:
            everything = json.load(file)
        change(everything)
        text = json.dumps(everything, indent=2 if folder else None)
        if folder:
            put(folder + "/.new", folder + "/" + str(number), text)
        save(text)


def replace(name):
    with open(name) as file:
        text = file.read()
    with under():
        save(text)


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
