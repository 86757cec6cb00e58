//! What a source file says, as far as the rules care: the paths it names, the macros and methods it calls, and the
//! texts in it. Comments do not count, nor does what is compiled only for tests.

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

/// One thing that a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// A path of at least two parts, or anything imported. Parts of this crate begin with `crate`, whatever way they
    /// were written.
    Path(Vec<String>),
    /// A macro call, by the macro's last name.
    Macro(String),
    /// A method call, by its name.
    Method(String),
    /// A string literal, with its quotes.
    Text(String),
}

/// A file of the checkout.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path from the root of the checkout.
    pub(crate) file: String,
    /// The top-level module of its crate that it belongs to; none for the crate's root.
    pub(crate) top_module: Option<String>,
    /// What it says, with the line it says it on.
    pub(crate) said: Vec<(usize, Said)>,
}

impl Source {
    /// Reads a file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, LexError> {
        let mut reader = Reader {
            module: module_of(file),
            said: Vec::new(),
        };
        if !is_test_file(file) {
            reader.read(text.parse()?);
        }
        Ok(Self {
            file: file.to_owned(),
            top_module: module_of(file).into_iter().next(),
            said: reader.said,
        })
    }
}

/// Whether a file of a `src` folder holds only tests, by its name.
fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.ends_with("_tests.rs") || file.contains("/tests/")
}

/// The module path of a file, without `crate`: `actors/src/router/core.rs` is `router`, `core`.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.split_once("src/").map_or(file, |(_, inside)| inside);
    let mut parts: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    if parts.first().is_some_and(|first| first == "bin") {
        parts.clear();
    }
    parts
}

/// Walks through the tokens of a file.
struct Reader {
    /// Where we are: the file's module path, and the inline modules around us.
    module: Vec<String>,
    said: Vec<(usize, Said)>,
}

impl Reader {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&tokens, at),
                TokenTree::Ident(ident) if ident == "use" => self.import(&tokens, at),
                TokenTree::Ident(ident) if ident == "mod" => self.inline_module(&tokens, at),
                TokenTree::Ident(_) => self.path(&tokens, at),
                TokenTree::Group(group) => {
                    self.read(group.stream());
                    at + 1
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.contains('"') {
                        self.say(token, Said::Text(text));
                    }
                    at + 1
                }
                TokenTree::Punct(_) => at + 1,
            };
        }
    }

    fn say(&mut self, token: &TokenTree, said: Said) {
        self.said.push((token.span().start().line, said));
    }

    /// An attribute: `cfg(test)` hides what follows, `doc` is a comment, any other may name paths.
    fn attribute(&mut self, tokens: &[TokenTree], hash: usize) -> usize {
        let inner = is_punct(tokens.get(hash + 1), '!');
        let body = hash + 1 + usize::from(inner);
        let Some(TokenTree::Group(group)) = tokens.get(body) else {
            return hash + 1;
        };
        let text = group.stream().to_string().replace(' ', "");
        if text == "cfg(test)" {
            // The item ends with its braces or its semicolon; an inner attribute speaks of the whole file.
            let rest = tokens.iter().skip(body + 1);
            let length = rest.take_while(|token| !is_end_of_item(token)).count();
            return if inner { tokens.len() } else { body + 1 + length + 1 };
        }
        if !text.starts_with("doc") {
            self.read(group.stream());
        }
        body + 1
    }

    /// `use a::{b, c as d};`: every path in it.
    fn import(&mut self, tokens: &[TokenTree], keyword: usize) -> usize {
        let rest = tokens.get(keyword + 1..).unwrap_or_default();
        let length = rest.iter().take_while(|token| !is_punct(Some(token), ';')).count();
        let tree = rest.get(..length).unwrap_or_default();
        self.import_tree(tree, &[]);
        keyword + 1 + length + 1
    }

    fn import_tree(&mut self, tree: &[TokenTree], prefix: &[String]) {
        for branch in tree.split(|token| is_punct(Some(token), ',')) {
            let mut parts = prefix.to_vec();
            let mut last = None;
            for token in branch {
                match token {
                    TokenTree::Ident(ident) if ident == "as" => break,
                    TokenTree::Ident(ident) => parts.push(plain(&ident.to_string())),
                    TokenTree::Group(group) => {
                        let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.import_tree(&inside, &parts);
                        last = None;
                        break;
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
                last = Some(token);
            }
            if let Some(token) = last {
                let path = self.absolute(parts);
                self.say(token, Said::Path(path));
            }
        }
    }

    /// `mod name { … }`: what is inside counts from there.
    fn inline_module(&mut self, tokens: &[TokenTree], keyword: usize) -> usize {
        if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
            (tokens.get(keyword + 1), tokens.get(keyword + 2))
            && body.delimiter() == Delimiter::Brace
        {
            self.module.push(plain(&name.to_string()));
            self.read(body.stream());
            self.module.pop();
            return keyword + 3;
        }
        keyword + 1
    }

    /// A name, or several joined by `::`, and whether it is called.
    fn path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut parts = Vec::new();
        let mut at = start;
        while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
            parts.push(plain(&ident.to_string()));
            at += 1;
            if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
                break;
            }
            at += 2;
        }
        let (Some(token), Some(name)) = (tokens.get(start), parts.last().cloned()) else {
            return start + 1;
        };
        let is_macro = is_punct(tokens.get(at), '!') && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
        let after_dot = start
            .checked_sub(1)
            .is_some_and(|before| is_punct(tokens.get(before), '.'));
        if is_macro {
            self.say(token, Said::Macro(name));
        } else if after_dot {
            self.say(token, Said::Method(name));
        }
        if parts.len() > 1 {
            let path = self.absolute(parts);
            self.say(token, Said::Path(path));
        }
        at.max(start + 1)
    }

    /// `self::x` and `super::x` as `crate::…::x`, and the root package by its own name as `crate`.
    fn absolute(&self, mut parts: Vec<String>) -> Vec<String> {
        let ups = match parts.first().map(String::as_str) {
            Some("super") => parts.iter().take_while(|part| *part == "super").count(),
            Some("self") => 0,
            Some("ai_mcp_gateway") => {
                parts.splice(..1, ["crate".to_owned()]);
                return parts;
            }
            _ => return parts,
        };
        let kept = self.module.len().saturating_sub(ups);
        let mut path = vec!["crate".to_owned()];
        path.extend(self.module.iter().take(kept).cloned());
        path.extend(parts.into_iter().skip(ups.max(1)));
        path
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_end_of_item(token: &TokenTree) -> bool {
    is_punct(Some(token), ';') || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// A name without the mark of a raw identifier.
fn plain(name: &str) -> String {
    name.trim_start_matches("r#").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Said, Source};

    fn paths(file: &str, text: &str) -> Vec<String> {
        let said = Source::parse(file, text).unwrap().said.into_iter();
        said.filter_map(|(_, said)| match said {
            Said::Path(parts) => Some(parts.join("::")),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn every_branch_of_an_import_counts() {
        let text = "use std::{fmt, collections::{HashMap, hash_map as map}, sync::Arc as Shared, io::*};";
        let expected = [
            "std::fmt",
            "std::collections::HashMap",
            "std::collections::hash_map",
            "std::sync::Arc",
            "std::io",
        ];
        assert_eq!(paths("src/x.rs", text), expected);
    }

    #[test]
    fn relative_paths_become_paths_of_the_crate() {
        let text =
            "use super::core::Core; use super::super::budget; use self::plan; fn f() { super::super::cost::g() }";
        let expected = [
            "crate::router::core::Core",
            "crate::budget",
            "crate::router::actor::plan",
            "crate::cost::g",
        ];
        assert_eq!(paths("actors/src/router/actor.rs", text), expected);
    }

    #[test]
    fn inline_modules_are_one_deeper() {
        assert_eq!(paths("src/http/mod.rs", "mod a { use super::b; }"), ["crate::http::b"]);
    }

    #[test]
    fn comments_texts_and_test_code_name_nothing() {
        let text = "// use diesel::a;\n/// diesel::b\nfn f() { \"diesel::c\"; }\n#[cfg(test)]\nmod tests { use diesel::d; }\nuse std::fmt;";
        assert_eq!(paths("src/x.rs", text), ["std::fmt"]);
        assert_eq!(paths("src/x/tests.rs", "use diesel::e;"), [""; 0]);
        assert_eq!(paths("src/x.rs", "#![cfg(test)]\nuse diesel::f;"), [""; 0]);
    }

    #[test]
    fn attributes_and_macro_arguments_name_paths() {
        let text = "#[derive(diesel::Queryable)] struct S; fn f() { vec![awc::Client::new()]; }";
        assert_eq!(paths("src/x.rs", text), ["diesel::Queryable", "awc::Client::new"]);
    }

    #[test]
    fn a_thing_is_reported_on_its_line() {
        let said = Source::parse("src/x.rs", "\n\nfn f() {\n    a::b();\n}").unwrap().said;
        assert_eq!(said, [(4, Said::Path(vec!["a".into(), "b".into()]))]);
    }
}
