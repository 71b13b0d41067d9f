/** Compares pairs of directories by system calls: `dir` has 0a and 0b, 1a and 1b … Prints what differs of each, as JSON. */
export const DIFF_ORACLE = `
import json, os, stat, sys
def tree(root):
    found = {}
    for at, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(at, name)
            found["/" + os.path.relpath(path, root)] = (os.lstat(path), path)
    return found
def data(path):
    with open(path, "rb") as f: return f.read()
def compare(one, other, reads):
    (a, p), (b, q) = one, other
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode): return "T", []
    changed, unknown = [], False
    then = a.st_mtime_ns == b.st_mtime_ns
    if stat.S_ISREG(a.st_mode):
        if a.st_size != b.st_size: changed.append("size")
        elif reads and data(p) != data(q): changed.append("data")
        elif not reads and a.st_size > 0 and not then: unknown = True
    if stat.S_ISLNK(a.st_mode) and os.readlink(p) != os.readlink(q): changed.append("target")
    letter = "M" if changed else "?" if unknown else "m"
    if stat.S_IMODE(a.st_mode) != stat.S_IMODE(b.st_mode): changed.append("mode")
    if (a.st_uid, a.st_gid) != (b.st_uid, b.st_gid): changed.append("owner")
    if not then: changed.append("mtime")
    if not stat.S_ISDIR(a.st_mode) and a.st_nlink != b.st_nlink: changed.append("nlink")
    return (letter, changed) if changed or unknown else None
def differences(a, b, reads):
    lines = []
    for path in sorted(set(a) | set(b), key=os.fsencode):
        if path not in b: lines.append(["D", path, []])
        elif path not in a: lines.append(["A", path, []])
        else:
            found = compare(a[path], b[path], reads)
            if found: lines.append([found[0], path, found[1]])
    return lines
pairs = []
for n in range(int(sys.argv[2])):
    a, b = tree(f"{sys.argv[1]}/{n}a"), tree(f"{sys.argv[1]}/{n}b")
    pairs.append([differences(a, b, True), differences(a, b, False)])
print(json.dumps(pairs))`;
