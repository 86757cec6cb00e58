use super::*;

struct Nothing;

impl KnownWords for Nothing {
    fn contains(&self, _: u32) -> bool {
        false
    }
}

fn scan(text: &str) -> Scan {
    Scan::of(text, &Nothing)
}

#[test]
fn words_and_numbers_are_told_apart_and_counted() {
    let scan = scan("It's 3.50 for two; IT'S 3.50 or 7. (12b)");
    assert_eq!(scan.words.count, 6);
    assert_eq!(scan.words.distinct, 5);
    assert_eq!(scan.numbers.count, 4);
    assert_eq!(scan.numbers.distinct, 3);
    assert_eq!(scan.numbers.largest, 12.0);
    assert!(scan.numbers.decimals);
}

#[test]
fn a_number_of_any_length_is_at_most_a_billion() {
    assert_eq!(scan(&"9".repeat(5000)).numbers.largest, 1e9);
    assert_eq!(scan("").numbers.largest, 0.0);
}

#[test]
fn loops_branches_and_nesting_are_counted_by_line() {
    let scan = scan("for x in y:\n  if(x):\n        while (1)\n\t\telse:\nforx\nif\n  elif x");
    assert_eq!(scan.lines.loops, 2);
    assert_eq!(scan.lines.branches, 3);
    assert_eq!(scan.lines.nested, 2);
}

#[test]
fn points_end_sentences_call_methods_and_name_files() {
    let text = scan("a.b(). Is src/Main.RS ok? x.append(1)!");
    assert_eq!(text.sentences, 3);
    assert_eq!(text.methods, 2);
    assert!(text.marks.file);
    assert!(!scan("main.rsx and .py and e.g. this").marks.file);
}

#[test]
fn of_a_long_text_both_ends_are_read() {
    let text = format!("code {} stop 7", "x ".repeat(10_000));
    let scan = scan(&text);
    assert_eq!(scan.whole, text.len());
    assert_eq!(scan.bytes, 6145);
    assert!(scan.words.has(NOUN));
    assert_eq!(scan.numbers.count, 1);
}

#[test]
fn different_words_are_counted_however_many_there_are() {
    let words: Vec<String> = (0..900_u32)
        .map(|n| {
            let letter = |at: u32| char::from(b'a' + u8::try_from(n / 26_u32.pow(at) % 26).unwrap());
            format!("w{}{}{}", letter(0), letter(1), letter(2))
        })
        .collect();
    let text = format!("{} {}", words.join(" "), words[7]);
    assert_eq!(scan(&text).words.distinct, 900);
    assert_eq!(scan(&text).words.count, 901);
}
