#!/usr/bin/env python3
"""style.py [--list]: measures how the product's C is written and holds it against LIMITS.

Prints TAP. --list prints every place instead, sorted by file. The functions' cognitive complexity
comes from clang-tidy (analyse.py). Then proves on small bad files that each rule can fail.
"""
# SPDX-License-Identifier: Apache-2.0
import os
import re
import sys
from collections import Counter

import analyse

# rule: the most that the product may have.
LIMITS = {
    "nested ?:": 0,
    "comma operator": 0,
    "assignment in an expression": 0,
    "x = x || ...": 0,
    "?: per 1,000 lines": 12,
    "line over 100 columns": 0,
    "function over 60 lines": 0,
    "function over complexity 15": 0,
    "file over 500 lines": 0,
    "body on the line of its if": 0,
    "two statements on a line": 0,
}
COLUMNS, FUNCTION_LINES, FILE_LINES = 100, 60, 500

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
    |(?P<directive>^[ \t]*\#(?:/\*.*?\*/|\\\n|[^\n])*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<operator>\.\.\.|<<=|>>=|->|\+\+|--|&&|\|\||[-+*/%&|^=!<>]=|<<|>>|\S)""",
    re.S | re.M | re.X)
DEFINE = re.compile(r"[ \t]*#[ \t]*define[ \t]+\w+(?:\([^)]*\))?")
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
TYPES = {"void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "bool",
         "_Bool", "struct", "union", "enum", "const", "static", "extern", "typedef", "volatile",
         "register", "inline", "_Atomic", "_Thread_local"}
NOT_CALLED = {"return", "case", "else", "do", "goto", "in"}
CONDITIONS = {"if", "while", "switch"}


class Token:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def tokens_of(text, line=1):
    """Yields the tokens of C without comments; a directive is one token."""
    at = 0
    for match in TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        if match.lastgroup != "comment":
            yield Token(match.lastgroup, match[0], line)


class Level:
    """What is between a pair of brackets. An element is a statement, an argument or a clause."""

    def __init__(self, kind, element):
        self.kind = kind            # file block struct enum init call paren index if for
        self.element = element      # index of the element's first token
        self.clause = 0             # of a for header
        self.assigned = 0           # assignments in this element since its last comma
        self.open_questions = 0     # conditional expressions that this element is inside of
        self.waiting_colons = 0     # those of them whose ':' has not come
        self.inner_question = False  # brackets of this operand contain a conditional expression
        self.has_question = False   # somewhere between these brackets is one


class Parser:
    """Walks the tokens of one file, or of one macro's body, and reports places."""

    def __init__(self, tokens, report, kind="file"):
        self.tokens, self.report = tokens, report
        self.levels = [Level(kind, 0)]
        self.function = None
        self.last_end = None        # line of the last statement's end

    def text(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def begin_element(self, index):
        level = self.levels[-1]
        level.element, level.assigned = index, 0
        self.begin_operand()
        level.open_questions = level.waiting_colons = 0

    def begin_operand(self):
        self.levels[-1].inner_question = False

    def is_declaration(self, level):
        first, second = self.text(level.element), self.text(level.element + 1)
        if first in TYPES or first.endswith("_t"):
            return True
        if not re.match(r"[A-Za-z_]", first) or first in NOT_CALLED:
            return False
        at = level.element + 1
        while self.text(at) in ("*", "const"):
            at += 1
        if not re.match(r"[A-Za-z_]", self.text(at)):
            return False
        return second != "*" or self.text(at + 1) in ("=", ",", ";", "[")

    def bracket_kind(self, index):
        """What an opening parenthesis opens."""
        before = self.text(index - 1)
        if before in CONDITIONS:
            return "if"
        if before == "for":
            return "for"
        is_call = re.match(r"[A-Za-z_]", before) and before not in NOT_CALLED
        return "call" if is_call or before in (")", "]") else "paren"

    def brace_kind(self, index):
        """What an opening brace opens."""
        level, before, earlier = self.levels[-1], self.text(index - 1), self.text(index - 2)
        if level.kind not in ("file", "block", "struct", "macro"):
            return "block" if before == "(" else "init"
        if level.kind == "macro":
            is_body = before in (")", "do", "else") and self.text(index + 1) not in (".", "[")
            return "block" if is_body else "init"
        for word, kind in (("enum", "enum"), ("struct", "struct"), ("union", "struct")):
            if word in (before, earlier):
                return kind
        if before == "=" or level.assigned or self.text(level.element) == "return":
            return "init"
        return "block"

    def open(self, index):
        text = self.text(index)
        kind = {"(": self.bracket_kind, "{": self.brace_kind, "[": lambda _: "index"}[text](index)
        outer = self.levels[-1]
        if kind == "block" and outer.kind == "file" and self.text(index - 1) == ")":
            name = next((self.text(i - 1) for i in range(outer.element, index)
                         if self.text(i) == "("), "?")
            self.function = (name, self.tokens[outer.element].line)
        self.levels.append(Level(kind, index + 1))

    def close(self, index):
        if len(self.levels) == 1:
            return
        inner = self.levels.pop()
        outer = self.levels[-1]
        if inner.has_question:
            outer.inner_question = outer.has_question = True
        line = self.tokens[index].line
        if inner.kind == "block":
            if outer.kind == "file" and self.function:
                name, first = self.function
                if line - first + 1 > FUNCTION_LINES:
                    self.report("function over 60 lines", first, f"{name}: {line - first + 1}")
                self.function = None
            self.begin_element(index + 1)
            self.last_end = None
        elif inner.kind in ("if", "for") and outer.kind == "block":
            self.begin_body(index)

    def begin_body(self, index):
        """A statement's body begins behind the token at index."""
        self.begin_element(index + 1)
        body = index + 2 if self.text(index + 1) == "{" else index + 1
        is_chain = self.text(index) == "else" and self.text(body) == "if"
        is_body = self.text(body) not in ("", ";", "}") and not is_chain
        if is_body and self.tokens[body].line == self.tokens[index].line:
            self.report("body on the line of its if", self.tokens[index].line)
        self.last_end = None

    def question(self, index):
        level = self.levels[-1]
        is_inside = any(outer.open_questions for outer in self.levels)
        if is_inside or level.inner_question:
            self.report("nested ?:", self.tokens[index].line)
        level.open_questions += 1
        level.waiting_colons += 1
        level.has_question = True
        self.report("?:", self.tokens[index].line)

    def colon(self, index):
        level = self.levels[-1]
        if level.waiting_colons:
            level.waiting_colons -= 1
            self.begin_operand()
        elif level.kind == "block":
            self.begin_element(index + 1)  # behind a label

    def comma(self, index):
        level = self.levels[-1]
        is_list = level.kind in ("call", "init", "enum", "struct", "file", "macro")
        is_clause = level.kind == "block" or (level.kind == "for" and level.clause == 0)
        is_declared = is_clause and self.is_declaration(level)
        if not is_list and not is_declared:
            self.report("comma operator", self.tokens[index].line)
        if is_declared or level.kind == "struct":
            level.assigned = level.open_questions = level.waiting_colons = 0
            self.begin_operand()
        elif is_list:
            self.begin_element(index + 1)
        else:
            level.assigned = 0

    def semicolon(self, index):
        level, line = self.levels[-1], self.tokens[index].line
        self.begin_element(index + 1)
        if level.kind == "for":
            level.clause += 1
        elif level.kind == "block":
            self.last_end = line

    def assignment(self, index):
        level = self.levels[-1]
        first = self.text(level.element)
        is_designator = first in (".", "[")
        is_allowed = {
            "block": first != "return", "file": True, "struct": True, "enum": True,
            "macro": True, "for": level.clause != 1, "init": is_designator,
            "call": is_designator,
        }.get(level.kind, False)
        if not is_allowed or level.assigned or level.open_questions:
            self.report("assignment in an expression", self.tokens[index].line)
        level.assigned += 1
        self.begin_operand()
        target = [token.text for token in self.tokens[level.element:index]]
        again = [token.text for token in self.tokens[index + 1:index + 1 + len(target)]]
        is_chain = self.text(index + 1 + len(target)) in ("||", "&&")
        if self.text(index) == "=" and target == again and is_chain:
            self.report("x = x || ...", self.tokens[index].line)

    def run(self):
        for index, token in enumerate(self.tokens):
            text, level = token.text, self.levels[-1]
            if level.kind == "block" and index == level.element and text != "}":
                if self.last_end == token.line:
                    self.report("two statements on a line", token.line)
                self.last_end = None
            if token.kind == "string" or token.kind == "number":
                continue
            if text in "([{":
                self.open(index)
            elif text in ")]}":
                self.close(index)
            elif text == "?":
                self.question(index)
            elif text == ":":
                self.colon(index)
            elif text == ",":
                self.comma(index)
            elif text == ";":
                self.semicolon(index)
            elif text in ASSIGNMENTS:
                self.assignment(index)
            elif text in ("else", "do") and level.kind == "block":
                self.begin_body(index)
            elif text == "return":
                self.begin_operand()


class Measures:
    """What was found in some files: places of each rule, and plain counts."""

    def __init__(self):
        self.places = {rule: [] for rule in LIMITS}
        self.count = Counter()

    def add_complexity(self, findings):
        pattern = re.compile(
            r"(\S+?):(\d+):\d+: .*function '(\w+)' has cognitive complexity of (\d+)")
        for finding in findings:
            match = pattern.match(finding)
            if match:
                self.places["function over complexity 15"].append(
                    (match[1], int(match[2]), f"{match[3]}: {match[4]}"))

    def add(self, name, text):
        def report_macro(rule, line, detail=""):
            if rule not in ("body on the line of its if", "two statements on a line"):
                report(rule, line, detail)

        def report(rule, line, detail=""):
            if rule == "?:":
                self.count["?:"] += 1
            else:
                self.places[rule].append((name, line, detail))

        tokens = list(tokens_of(text))
        code = sorted({number for token in tokens for number in
                       range(token.line, token.line + token.text.count("\n") + 1)})
        lines = text.split("\n")
        self.count["lines"] += len(code)
        self.count["over 80"] += sum(len(lines[n - 1].expandtabs(8)) > 80 for n in code)
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(8)) > COLUMNS:
                report("line over 100 columns", number, str(len(line)))
        if len(lines) - 1 > FILE_LINES:
            report("file over 500 lines", 1, str(len(lines) - 1))
        Parser([token for token in tokens if token.kind != "directive"], report).run()
        for token in tokens:
            macro = DEFINE.match(token.text) if token.kind == "directive" else None
            if macro:
                body = token.text[macro.end():].replace("\\\n", " \n")
                Parser(list(tokens_of(body, token.line)), report_macro, "macro").run()

    def value(self, rule):
        if rule == "?: per 1,000 lines":
            return round(1000 * self.count["?:"] / max(self.count["lines"], 1), 1)
        return len(self.places[rule])

    def table(self):
        yield "lines of code", self.count["lines"], ""
        yield "lines over 80 columns, %", round(
            100 * self.count["over 80"] / max(self.count["lines"], 1), 1), ""
        for rule, limit in LIMITS.items():
            yield rule, self.value(rule), f"limit {limit}"


def measure(files):
    measures = Measures()
    for name in files:
        with open(name, encoding="utf-8") as file:
            measures.add(name, file.read())
    return measures


BAD = {
    "nested ?:": ["int f(int a) { return a ? 1 : a > 2 ? 3 : 4; }",
                  "int f(int a) { return a ? g(a ? 1 : 2) : 3; }",
                  "int f(int a) { return g(a ? 1 : 2) ? 3 : 4; }",
                  "#define F(a) ((a) ? 1 : (a) > 2 ? 3 : 4)\n"],
    "comma operator": ["int f(int a) { return g(a), a; }",
                       "void f(int a) { a++, g(a); }",
                       "void f(int a) { for (a = 0, g(a); a < 3; a++) g(a); }",
                       "void f(int a) { for (; a < 3; a++, g(a)) g(a); }",
                       "void f(int a) { if (g(a), a) g(a); }",
                       "int f(int a) { int b = (g(a), a); return b; }"],
    "assignment in an expression": ["void f(int a) { if ((a = g()) > 2) g(); }",
                                    "int f(int a) { return a = 2; }",
                                    "void f(int a, int b) { a = b = 2; }",
                                    "void f(int a) { g(a += 2); }",
                                    "void f(int a) { for (; (a = g());) g(); }",
                                    "void f(int a) { a ? (a = 2) : 0; }",
                                    "int b[] = {a = 2};"],
    "x = x || ...": ["void f(int a) { a = a || g(); }",
                     "void f(struct s *a) { a->b[1] = a->b[1] && g(); }"],
    "?: per 1,000 lines": ["int f(int a) { return a ? 1 : 2; }"],
    "line over 100 columns": ["// " + "x" * 98],
    "function over 60 lines": ["int f(int a)\n{\n" + "    g(a);\n" * 58 + "}\n"],
    "file over 500 lines": ["int a;\n" * 501],
    "body on the line of its if": ["void f(int a)\n{\n    if (a) g();\n}\n",
                                   "void f(int a)\n{\n    for (;;) { g(); }\n}\n",
                                   "void f(int a)\n{\n    if (a)\n        g();\n    else g();\n}\n"
                                   ],
    "two statements on a line": ["void f(int a)\n{\n    g(); g();\n}\n"],
}
GOOD = """
struct s { int a, b; };
enum e { A = 1, B = 2 };
static const struct s table[] = {[A] = {.a = 1, .b = 2}, {3, 4}};
#define PAIR(x, y) {.a = (x), .b = (y)}
#define BRACED(x, y) {{x, sizeof(x)}, y}
#define BOTH(x) do { g(x); h(x); } while (0)
int f(int a, char *text)
{
    int b = a ? 1 : 2, c = a ? 3 : 4;
    struct s both = {.a = g(a, b), .b = c}, *end;
    const char *questions = "a ? b ? c : d : e, x = x || y";
    for (int i = 0, n = 3; i < n; i++)
        both.a += i; /* a comment, with a, b = c ? d : e ? f : g */
    switch (a) {
    case 1: return b;
    default: break;
    }
    both = (struct s){.a = g(a ? 1 : 2), .b = h(a ? 3 : 4)};
    if (a)
        b = 3;
    else if (b == 2)
        c = 4;
    do {
        g(a, _Generic(b, int: 1, default: 2));
    } while (c);
    return g(sizeof(int[2]), (struct s){.a = 1, .b = 2});
}
"""


def self_test(tap):
    for rule, texts in BAD.items():
        for number, text in enumerate(texts, 1):
            measures = Measures()
            measures.add("bad.c", text)
            tap(measures.value(rule) > LIMITS[rule], f"would see: {rule} ({number})")
    measures = Measures()
    deep = "int f(int a)\n{\n" + "for (; a; a++) {\n" * 6 + "}\n" * 6 + "return a;\n}\n"
    measures.add_complexity(analyse.text_findings("clang-tidy", deep))
    rule = "function over complexity 15"
    tap(measures.value(rule) == 1, f"would see: {rule}")
    measures = Measures()
    measures.add("good.c", GOOD)
    found = [f"{rule}: {place}" for rule, places in measures.places.items() for place in places]
    tap(not found, "finds nothing in good code", found)


def main():
    os.chdir(analyse.TOP)
    files = analyse.product_files()
    measures = measure(files)
    measures.add_complexity(analyse.findings("clang-tidy", [f for f in files if f.endswith(".c")]))
    if sys.argv[1:] == ["--list"]:
        for rule, places in measures.places.items():
            for name, line, detail in places:
                print(f"{name}:{line}: {rule}{' (' + detail + ')' if detail else ''}")
        return 0
    numbers = {"tests": 0, "failures": 0}

    def tap(is_good, title, notes=()):
        numbers["tests"] += 1
        numbers["failures"] += not is_good
        print(f"{'' if is_good else 'not '}ok {numbers['tests']} - {title}")
        if not is_good:
            for line in notes:
                print(f"# {line}")

    for label, value, limits in measures.table():
        print(f"# {label:32} {value:>8}  {limits}")
    for rule, limit in LIMITS.items():
        places = [f"{name}:{line} {detail}" for name, line, detail in measures.places[rule]]
        value = measures.value(rule)
        tap(value <= limit, f"{rule}: {value}, at most {limit}", places)
    self_test(tap)
    print(f"1..{numbers['tests']}")
    return numbers["failures"] > 0


if __name__ == "__main__":
    sys.exit(main())
