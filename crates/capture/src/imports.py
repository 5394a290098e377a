# Which imports of a script this Python would not find. The script is read, never run.
#
# A question comes in on standard input, the answer goes out as one line; both are JSON, as capture::imports has them.
# First of all the empty entry goes from sys.path: what lies in the current folder must not be imported by us.
import sys

sys.path[:] = [place for place in sys.path if place]
MARK = "neronet-imports:"
if sys.version_info < (3, 4):
    sys.stdout.write('\n%s{"version": "%d.%d.%d"}\n' % ((MARK,) + tuple(sys.version_info[:3])))
    sys.exit(0)

import ast, io, json, os, re, tokenize
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

QUESTION = json.load(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8"))
TOP = QUESTION["top"]
FOLDER = QUESTION["folder"]
# What the run's copy of the code will have: files, and the beginnings of what lies behind links. None: it runs where it lies.
HELD = None if QUESTION["held"] is None else set(QUESTION["held"])
BEGINNINGS = tuple(QUESTION["beginnings"])
MOST_FILES, DEEPEST, MOST_FINDINGS, LARGEST = 200, 40, 50, 2000000
STANDARD = set(getattr(sys, "stdlib_module_names", ())) | set(sys.builtin_module_names)
# Words that newer Pythons know, and since when.
NEWER = [
    (r"^\s*(match|case)\s.+:\s*(#.*)?$", (3, 10), "match"),
    (r"^\s*except\s*\*", (3, 11), "except*"),
    (r"^\s*type\s+\w+.*=", (3, 12), "a type statement"),
    (r":=", (3, 8), ":="),
    (r"\bf['\"]", (3, 12), "quotes inside the same quotes of an f-string"),
]
# Of libraries that a file of the same name would hide.
LIBRARIES = set(
    "accelerate cv2 jax keras lightning matplotlib mlflow numpy pandas PIL pytorch_lightning scipy sklearn tensorflow torch torchvision "
    "tqdm transformers wandb yaml".split()
)


class Places:
    """Where modules are looked for: folders, and whether a run has a copy of what lies there."""

    def __init__(self):
        isolated = sys.flags.isolated
        given = [] if isolated or sys.flags.ignore_environment else QUESTION["python_path"]
        self.all = [(os.path.join(FOLDER, place), not os.path.isabs(place)) for place in given]
        self.all += [(place, False) for place in sys.path]
        # Every one that was ever among them.
        self.ever = []
        self.safe = isolated or getattr(sys.flags, "safe_path", False)
        # The places are changed by what the script does, in ways that cannot be followed.
        self.unsure = False

    def find(self, name, ignored):
        """The spec of a module at the top, or None. What the run's copy lacks is noted in ignored."""
        if name in sys.builtin_module_names or FrozenImporter.find_spec(name) is not None:
            return BuiltinImporter.find_spec(name) or FrozenImporter.find_spec(name)
        folders = None
        for place, copied in self.all:
            spec = within(name, place, copied, ignored)
            if spec is None:
                continue
            if not is_namespace(spec):
                return spec
            folders = folders or spec
        for finder in sys.meta_path:
            if finder in (BuiltinImporter, FrozenImporter, PathFinder):
                continue
            try:
                spec = finder.find_spec(name, None)
            except Exception:
                spec = None
            if spec is not None:
                return spec
        return folders


def is_namespace(spec):
    return spec.submodule_search_locations is not None and spec.origin in (None, "namespace")


def within(name, place, copied, ignored):
    """The spec of a module in one folder."""
    try:
        spec = PathFinder.find_spec(name, [place])
    except Exception:
        return None
    if spec is None or not copied or HELD is None:
        return spec
    if not is_namespace(spec):
        if is_held(spec.origin):
            return spec
        ignored.append(spec.origin)
        return None
    for folder in spec.submodule_search_locations:
        below = os.path.relpath(folder, TOP) + "/"
        if below.startswith("../") or below.startswith(BEGINNINGS) or any(path.startswith(below) for path in HELD):
            return spec
    ignored.extend(list(spec.submodule_search_locations)[:1])
    return None


def is_held(path):
    path = os.path.relpath(path, TOP)
    return HELD is None or path in HELD or path.startswith("../") or path.startswith(BEGINNINGS)


def is_local(path):
    """Whether it is the researcher's own: in the code, and in no environment that lies there."""
    if not path or not path.startswith(TOP + "/") or not path.endswith(".py"):
        return False
    return not ("/site-packages/" in path or path.startswith(os.path.join(sys.prefix, "")) and sys.prefix.startswith(TOP + "/"))


class Stop(Exception):
    """More than is looked at."""


PLACES = Places()
FINDINGS, FILES = [], []
SEEN = set()


def tell(kind, file, node, name, certain, **more):
    # One thing is told where it is met first, but a doubt gives way to certainty.
    for known in FINDINGS:
        if (known["kind"], known["name"]) == (kind, name):
            if certain and not known["certain"]:
                FINDINGS.remove(known)
                break
            return
    if len(FINDINGS) >= MOST_FINDINGS:
        raise Stop()
    text = ""
    line = getattr(node, "lineno", 0)
    if file is not None and line:
        lines = file.text.splitlines()
        text = lines[line - 1][:400] if line <= len(lines) else ""
    finding = {"kind": kind, "file": file.path if file is not None else "", "line": line, "column": getattr(node, "col_offset", 0)}
    finding.update(text=text, name=name, certain=bool(certain), detail="", ignored="", needs="")
    finding.update(more)
    FINDINGS.append(finding)


class File:
    """One file of the researcher's: its imports are told, and followed."""

    def __init__(self, path, package, main):
        self.path, self.package, self.main = path, package, main
        self.known = {}
        with open(path, "rb") as file:
            source = file.read(LARGEST + 1)
        self.text = decoded(source)
        self.tree = None
        if len(source) > LARGEST:
            return
        try:
            self.tree = ast.parse(source, path)
        except (SyntaxError, ValueError) as error:
            self.error = error

    def read(self, weak, depth):
        """Follows it. weak: it may not be imported at all."""
        self.depth = depth
        if self.tree is None:
            if hasattr(self, "error"):
                self.cannot_be_read(self.error, weak)
            return
        # What changes where modules are found otherwise than by a call that is understood below.
        if re.search(r"\bsys\.(modules\s*\[|meta_path|path_hooks)|\baddsitedir\b|\b__path__\b|['\"]pip['\"]|\bpip install\b", self.text):
            PLACES.unsure = True
        try:
            self.block(self.tree.body, weak)
        except RecursionError:
            PLACES.unsure = True

    def cannot_be_read(self, error, weak):
        class Node:
            lineno = getattr(error, "lineno", 0) or 0
            col_offset = max((getattr(error, "offset", 0) or 0) - 1, 0)

        lines = self.text.splitlines()
        line = lines[Node.lineno - 1] if 0 < Node.lineno <= len(lines) else ""
        needs = ""
        for pattern, version, what in NEWER:
            if sys.version_info[:2] < version and re.search(pattern, line):
                needs = "%s needs Python %d.%d" % (what, version[0], version[1])
                break
        if not needs and re.match(r"\s*print\s+[^(=\s]", line):
            needs = "this is written for Python 2"
        said = getattr(error, "msg", None) or str(error)
        tell("syntax", self, Node, self.path, not weak, detail=said, needs=needs)

    def block(self, statements, weak):
        for node in statements:
            self.statement(node, weak)

    def statement(self, node, weak):
        kind = type(node).__name__
        if kind == "Import":
            for alias in node.names:
                self.absolute(alias.name, [], node, weak)
        elif kind == "ImportFrom":
            names = [alias.name for alias in node.names]
            if node.level:
                self.relative(node, names, weak)
            elif node.module != "__future__":
                self.absolute(node.module, names, node, weak)
        elif kind == "If":
            self.condition(node, weak)
        elif kind in ("Try", "TryStar"):
            if not any(catches(handler.type) for handler in node.handlers):
                self.block(node.body, weak)
            for handler in node.handlers:
                if not catches(handler.type):
                    self.block(handler.body, True)
            self.block(node.finalbody, weak)
        elif kind in ("With", "AsyncWith"):
            if not any("suppress" in ast.dump(item.context_expr) for item in node.items):
                self.block(node.body, weak)
        elif kind in ("For", "AsyncFor", "While", "FunctionDef", "AsyncFunctionDef"):
            self.block(node.body + getattr(node, "orelse", []), True)
        elif kind == "ClassDef":
            self.block(node.body, weak)
        elif kind == "Match":
            for case in node.cases:
                self.block(case.body, True)
        elif kind == "Assign":
            target = node.targets[0]
            if isinstance(target, ast.Name):
                self.known[target.id] = self.value(node.value)
            PLACES.unsure = PLACES.unsure or is_sys_path(target)
        elif kind == "AugAssign":
            PLACES.unsure = PLACES.unsure or is_sys_path(node.target)
        elif kind == "Expr":
            self.call(node.value, weak)

    def condition(self, node, weak):
        test = ast.dump(node.test)
        if "TYPE_CHECKING" in test:
            return self.block(node.orelse, weak)
        if "'__main__'" in test and "__name__" in test:
            return self.block(node.body, weak) if self.main else None
        holds = version_test(node.test)
        if holds is not None:
            return self.block(node.body if holds else node.orelse, weak)
        self.block(node.body, True)
        # A long chain is no deep one.
        while len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            node = node.orelse[0]
            self.block(node.body, True)
        self.block(node.orelse, True)

    def call(self, node, weak):
        """sys.path.insert(0, …) and the like."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_sys_path(node.func.value)):
            return
        place = self.value(node.args[-1]) if node.args else None
        if place is None or node.func.attr not in ("append", "insert"):
            PLACES.unsure = True
            return
        place = os.path.normpath(os.path.join(FOLDER, place))
        PLACES.ever.append(place)
        at = len(PLACES.all) if node.func.attr == "append" else 0
        PLACES.all.insert(at, (place, (place + "/").startswith(TOP + "/")))
        PLACES.unsure = PLACES.unsure or weak and not os.path.isdir(place)

    def value(self, node):
        """A path, where it is plain what it will be."""
        if isinstance(node, ast.Name):
            return self.path if node.id == "__file__" else self.known.get(node.id)
        text = getattr(node, "value", getattr(node, "s", None))
        if isinstance(text, str):
            return text
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left), self.value(node.right)
            if left is not None and right is not None and isinstance(node.op, (ast.Div, ast.Add)):
                return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
            return None
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            inner = self.value(node.value)
            return None if inner is None else os.path.dirname(inner)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            inner = self.value(node.value.value)
            index = getattr(node.slice, "value", None)
            index = getattr(index, "n", index)
            if inner is None or not isinstance(index, int) or not 0 <= index < 20:
                return None
            return os.path.normpath(os.path.join(os.path.dirname(inner), "../" * index))
        if not isinstance(node, ast.Call):
            return None
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("getcwd", "cwd"):
            return FOLDER
        of_path = isinstance(node.func, ast.Attribute) and name in ("resolve", "absolute", "as_posix")
        given = [self.value(argument) for argument in ([node.func.value] if of_path else node.args)]
        if not given or None in given:
            return None
        if name in ("join", "joinpath"):
            return os.path.join(*given)
        if name == "dirname":
            return os.path.dirname(given[0])
        if name in ("abspath", "realpath", "normpath", "resolve", "absolute"):
            return os.path.normpath(os.path.join(FOLDER, given[0]))
        return given[0] if name in ("str", "Path", "fspath", "as_posix") else None

    def absolute(self, dotted, names, node, weak):
        parts = dotted.split(".")
        ignored = []
        spec = PLACES.find(parts[0], ignored)
        if spec is None:
            certain = not weak and not PLACES.unsure
            doubt = "weak" if weak else "unsure" if PLACES.unsure else ""
            return tell("missing", self, node, parts[0], certain, detail=doubt, ignored=(ignored or [""])[0])
        # torch.py that imports torch.
        if spec.origin == self.path and self.main and (parts[0] in STANDARD or parts[0] in LIBRARIES):
            tell("hides", self, node, parts[0], False, detail=self.path)
        self.into(parts[0], spec, parts[1:], names, node, weak)

    def relative(self, node, names, weak):
        if self.package is None:
            if "__package__" not in self.text:
                tell("relative", self, node, self.path, not weak)
            return
        folder = os.path.dirname(self.path)
        for _ in range(node.level - 1):
            folder = os.path.dirname(folder)
        parts = self.package.split(".")
        package = ".".join(parts[: len(parts) - node.level + 1])
        if not package:
            return tell("relative", self, node, self.path, not weak)
        if not node.module:
            return self.members(package, [folder], names, weak)
        self.step(package, [folder], node.module.split("."), names, node, weak, True)

    def into(self, package, spec, parts, names, node, weak):
        """From a module that was found on to those inside it."""
        own = is_local(spec.origin)
        if own:
            follow(spec.origin, package if spec.submodule_search_locations is not None else package.rpartition(".")[0], weak, self.depth)
        if spec.submodule_search_locations is None:
            return
        folders = list(spec.submodule_search_locations)
        # Of what is no file of the researcher's, nobody knows what it makes of itself when it is imported.
        sure = own or is_namespace(spec)
        if parts:
            return self.step(package, folders, parts, names, node, weak, sure)
        if is_namespace(spec):
            for name in names:
                if name != "*" and PathFinder.find_spec(package + "." + name, folders) is None:
                    tell("empty", self, node, package + "." + name, not weak and not PLACES.unsure, detail=folders[0])
        elif own:
            self.members(package, folders, names, weak)

    def step(self, package, folders, parts, names, node, weak, sure):
        dotted = package + "." + parts[0]
        ignored = []
        spec = None
        for folder in folders:
            spec = within(dotted, folder, (folder + "/").startswith(TOP + "/"), ignored)
            if spec is not None:
                break
        if spec is None:
            if sure:
                certain = not weak and not PLACES.unsure
                tell("missing", self, node, dotted, certain, detail="weak" if weak else "", ignored=(ignored or [""])[0])
            return
        self.into(dotted, spec, parts[1:], names, node, weak)

    def members(self, package, folders, names, weak):
        """What is imported from a package may be a module in it."""
        for name in names:
            for folder in folders:
                spec = within(package + "." + name, folder, False, [])
                if spec is not None and is_local(spec.origin):
                    inner = package + "." + name if spec.submodule_search_locations is not None else package
                    follow(spec.origin, inner, weak, self.depth)


def catches(node):
    """Whether a handler may catch that a module is not there."""
    return node is None or any(name in ast.dump(node) for name in ("'ImportError'", "'ModuleNotFoundError'", "'Exception'", "'BaseException'"))


def is_sys_path(node):
    return isinstance(node, ast.Attribute) and node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "sys"


def version_test(node):
    """What comes of `sys.version_info >= (3, 8)`."""
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and "version_info" in ast.dump(node.left)):
        return None
    try:
        other = tuple(ast.literal_eval(node.comparators[0]))
        own = sys.version_info[: len(other)]
        tests = {"GtE": own >= other, "Gt": own > other, "Lt": own < other, "LtE": own <= other}
    except Exception:
        return None
    return tests.get(type(node.ops[0]).__name__) if isinstance(node.left, ast.Attribute) else None


def decoded(source):
    try:
        return source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0], "replace")
    except Exception:
        return source.decode("utf-8", "replace")


def follow(path, package, weak, depth, main=False):
    # What was met under a condition is read again when it is met without one.
    if (path, False) in SEEN or (path, weak) in SEEN:
        return
    if len(SEEN) >= 2 * MOST_FILES or depth >= DEEPEST:
        PLACES.unsure = True
        raise Stop()
    SEEN.add((path, weak))
    if path not in FILES:
        FILES.append(path)
    try:
        file = File(path, package, main)
    except (OSError, MemoryError, RecursionError):
        PLACES.unsure = True
        return
    file.read(weak, depth + 1)


def script(entry):
    path = os.path.normpath(os.path.join(FOLDER, entry))
    if os.path.isdir(path):
        path = os.path.join(path, "__main__.py")
    if not os.path.isfile(path):
        return tell("no-script", None, None, entry, True)
    folder = os.path.dirname(os.path.realpath(path) if os.path.islink(path) else path)
    if not PLACES.safe:
        PLACES.all.insert(0, (folder, (folder + "/").startswith(TOP + "/")))
        hidden(folder)
    with open(path, "rb") as file:
        is_text = b"\0" not in file.read(4096)
    if is_text or path.endswith(".py"):
        follow(path, None, False, 0, True)


def module(entry):
    """python -m: the packages around it are run, and then its own file."""
    if not PLACES.safe:
        PLACES.all.insert(0, (FOLDER, (FOLDER + "/").startswith(TOP + "/")))
        hidden(FOLDER)
    parts = entry.split(".")
    ignored = []
    spec = PLACES.find(parts[0], ignored)
    name = parts[0]
    for part in parts[1:] + ["__main__"]:
        if spec is None or (part == "__main__" and spec.submodule_search_locations is None):
            break
        if is_local(spec.origin):
            follow(spec.origin, name, False, 0)
        if spec.submodule_search_locations is None:
            spec = None
            break
        name += "." + part
        folders = list(spec.submodule_search_locations)
        spec = next(filter(None, (within(name, folder, (folder + "/").startswith(TOP + "/"), ignored) for folder in folders)), None)
    if spec is None:
        return tell("no-main" if name.endswith(".__main__") else "no-module", None, None, entry, not PLACES.unsure, ignored=(ignored or [""])[0])
    if is_local(spec.origin):
        follow(spec.origin, name.rpartition(".")[0], False, 0, True)


def hidden(folder):
    """Files beside the script that stand in the way of Python's own modules."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        own, ending = os.path.splitext(name)
        path = os.path.join(folder, name)
        is_module = ending == ".py" or not ending and os.path.isfile(os.path.join(path, "__init__.py"))
        # What Python has loaded before the script starts is not looked for again.
        early = own in sys.builtin_module_names or own in ("os", "io", "abc", "site", "stat", "codecs", "encodings", "posixpath", "genericpath")
        if is_module and own in STANDARD and not early and own != "__main__" and (ending != ".py" or is_held(path)):
            tell("hides", None, None, own, False, detail=path)


try:
    for what, entry in QUESTION["entries"]:
        before = list(PLACES.all)
        (script if what == "script" else module)(entry)
        PLACES.all[:] = before
except (Stop, RecursionError, MemoryError):
    pass
# Where a package that is installed from now on would change the answer.
USER_SITE = getattr(sys.modules.get("site"), "USER_SITE", None) or ""
KNOWN = [place for place, _ in PLACES.all] + PLACES.ever + [USER_SITE, os.path.join(sys.prefix, "pyvenv.cfg")]
ANSWER = {
    "version": "%d.%d.%d" % sys.version_info[:3],
    "executable": sys.executable,
    "prefix": sys.prefix,
    "places": [place for place in KNOWN if place],
    "files": FILES,
    "findings": FINDINGS,
}
sys.stdout.write("\n" + MARK + json.dumps(ANSWER) + "\n")
