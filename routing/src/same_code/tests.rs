use super::same_code;

fn is_same(language: &str, a: &str, b: &str) -> bool {
    let same = same_code(
        &format!("```{language}\n{a}\n```"),
        &format!("Here it is:\n\n```{language}\n{b}\n```\nDone."),
    );
    assert_eq!(
        same,
        same_code(&format!("```{language}\n{b}\n```"), &format!("```{language}\n{a}\n```"))
    );
    same
}

const FIB: &str = "def fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a";

/// The same among much that is the same.
fn long(code: &str) -> String {
    let head =
        "import sys\n\n\ndef total(items):\n    s = 0\n    for item in items:\n        s += item\n    return s\n\n\n";
    format!(
        "{}{code}\n\n\n{}",
        head.repeat(5),
        "print(fib(int(sys.argv[1])))\n".repeat(20)
    )
}

#[test]
fn programs_that_do_opposite_things_are_not_the_same_however_long_they_are() {
    for (old, new) in [
        ("a + b", "a - b"),
        ("a + b", "a * b"),
        ("return a", "return b"),
        ("range(n)", "range(n+1)"),
        ("range(n)", "range(n - 1)"),
        ("0, 1", "1, 1"),
        ("0, 1", "0, 2"),
        ("range", "reversed"),
        ("    return a", "        return a"),
        ("for _ in", "for a in"),
        ("a, b = b, a + b", "a = b; b = a + b"),
    ] {
        let changed = FIB.replace(old, new);
        assert_ne!(changed, FIB, "{old}");
        assert!(!is_same("python", FIB, &changed), "{new}");
        assert!(!is_same("python", &long(FIB), &long(&changed)), "{new}");
    }
    for (language, a, b) in [
        (
            "python",
            "if user.role == \"admin\":\n    pass",
            "if user.role != \"admin\":\n    pass",
        ),
        ("python", "x = True", "x = False"),
        ("python", "x = a // b", "x = a // c"),
        ("", "x = a // b", "x = a // c"),
        ("python", "x = f(a)\n-b", "x = f(a) -b"),
        ("python", "q = '''\n# a\n'''", "q = '''\n# b\n'''"),
        ("python", "x = f\"{d[\"a # b\"]}\"", "x = f\"{d[\"a # c\"]}\""),
        (
            "python",
            "for x in y:\n    if x:\n        break\nelse:\n    f()",
            "for x in y:\n    if x:\n        break\n    else:\n        f()",
        ),
        (
            "js",
            "if (u.isOwner && !u.isBanned) { ok(); }",
            "if (u.isOwner || !u.isBanned) { ok(); }",
        ),
        ("js", "if (i < n) f();", "if (i > n) f();"),
        ("js", "return\n(a)", "return (a)"),
        ("js", "x = `\n// a\n`", "x = `\n// b\n`"),
        ("js", "x = y.replace(/ \\/\\//g, 1)", "x = y.replace(/ \\/\\//g, 2)"),
        (
            "js",
            "x = y.replace(/\"/g, \"a  b\").replace(/\"/g, 1)",
            "x = y.replace(/\"/g, \"a b\").replace(/\"/g, 1)",
        ),
        ("c", "x = a++ + b;", "x = a + ++b;"),
        ("c", "x = a - -b;", "x = a--b;"),
        ("c", "#define F (x)\nF", "#define F(x)\nF"),
        ("c", "// a \\\nf();\ng();", "// a\nf();\ng();"),
        ("rust", "let x = r\"\\\" // \"; a()", "let x = r\"\\\" // \"; b()"),
        ("rust", "let x = \"a  b\";", "let x = \"a b\";"),
        ("go", "//go:embed a.txt\nvar s string", "//go:embed b.txt\nvar s string"),
        (
            "sql",
            "DELETE FROM users WHERE id = 5",
            "DELETE FROM users WHERE id <> 5",
        ),
        ("sql", "SELECT 'it''s -- a'", "SELECT 'it''s -- b'"),
        ("sql", "SELECT 5 --3", "SELECT 5 --4"),
        ("sh", "rm -r a # b", "rm -r a # c"),
        ("sh", "[ -n \"$x\" ]", "[ -n \"$x\"]"),
    ] {
        assert!(!is_same(language, a, b), "{language}: {a} | {b}");
        assert!(is_same(language, a, a), "{language}: {a}");
    }
}

#[test]
fn comments_layout_and_docstrings_make_no_difference() {
    for (language, a, b) in [
        (
            "python",
            FIB,
            "def fib(n):\n  \"\"\"The n-th of them.\"\"\"\n\n  a, b = 0,1   # the first two\n  # up\n  for _ in range( n ):\n    a, b = b, a + b\n\n  return a\n",
        ),
        ("python", "x = [\n    1,\n    2]", "x = [1, 2]"),
        ("python", "'''Docs.'''\nx = 1", "x = 1"),
        (
            "rust",
            "// adds\nfn add<'a>(a: &'a i32, b: i32) -> i32 {\n    a + b // sum\n}",
            "fn add<'a>(a: &'a i32, b: i32) -> i32 { a + b }",
        ),
        (
            "c",
            "int f(void) {\n  return 1; /* one */\n}",
            "int f(void)\n{\n    return 1;\n}",
        ),
        (
            "js",
            "// one\nfunction f(a) {\n  return a;\n}",
            "function f(a) { return a; }",
        ),
        (
            "go",
            "// f is one.\nfunc f() int {\n\treturn 1\n}",
            "func f() int { return 1 }",
        ),
        ("sql", "SELECT a -- one\nFROM b;", "SELECT a FROM b;"),
    ] {
        assert!(is_same(language, a, b), "{language}: {a} | {b}");
    }
}

#[test]
fn a_name_is_a_name_and_no_more_is_known_of_it() {
    let renamed = FIB.replace("a, b", "x, y").replace("return a", "return x");
    assert!(!is_same("python", FIB, &renamed));
    assert!(!is_same("c", "fprintf(stdout, s);", "fprintf(stderr, s);"));
}

#[test]
fn blocks_are_compared_one_by_one_and_only_where_it_is_certain_where_they_end() {
    let same = |a: &str| same_code(a, a);
    assert!(same("```py\nx = 1\n```\nand\n```sh\nls\n```"));
    assert!(same("```\nx = 1\n```") && same_code("```\nx = 1\n```", "```python\nx = 1 # one\n```"));
    for text in [
        "",
        "the same",
        "```py\nx = 1",
        "```\n```",
        "```py\nx = '''\n```\n'''\nf()\n```",
        "```py\nx = 1\n```\n```\ny\n```",
    ] {
        assert!(!same_code(text, &format!("{text} ")), "{text}");
    }
    assert!(!same_code("```py\nx\n```", "```py\nx\n```\n```py\ny\n```"));
    assert!(!same_code("```py\nx\n```", "```rust\nx\n```"));
    assert!(same_code("```py\nx\n```", "```python3\nx\n```"));
}
