//! Recorded questions and answers, a JSON object on each line.
//!
//! ```json
//! {"id": "1", "source": "arithmetic", "question": "…", "outcomes": {"MODEL": {"input_tokens": 9, "output_tokens": 40, "text": "…"}}}
//! ```
//!
//! `text` and both token counts may be missing. Scores are `score.rs`'s to read; other members are let pass, and nobody
//! sees them.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use gateway_actors::protocol::{Model, NanoUsd, TokenUsage};

use super::error::EvalError;
use super::line::Line;
use super::score::Marks;

/// The most that one line may have: more is no record of a question.
const MOST_LINE: u64 = 64 * 1024 * 1024;
/// Output tokens of an answer whose number is not recorded.
pub(super) const USUAL_OUTPUT: u64 = 200;
/// Bytes of a question that make about one token, where their number is not recorded.
const BYTES_PER_TOKEN: u64 = 4;
/// What a packed file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Which questions are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted<'a> {
    /// Those of this source.
    pub(super) source: Option<&'a str>,
    /// Those with an id in this file.
    pub(super) ids: Option<&'a Path>,
    /// The first so many of them.
    pub(super) limit: Option<usize>,
    /// Output tokens that are billed beyond the recorded ones; of several patterns for a model the last counts.
    pub(super) hidden: &'a [HiddenTokens],
}

/// Output tokens of models that bill more than they show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HiddenTokens {
    pattern: String,
    tokens: u64,
}

/// One question with what is recorded of its answers.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The number of its source.
    pub(super) source: usize,
    pub(super) question: Arc<str>,
    /// By the number of the model.
    pub(super) answers: Vec<Option<Recorded>>,
}

/// A recorded answer.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) usage: TokenUsage,
    pub(super) cost: NanoUsd,
    /// The answer itself, where it was recorded.
    pub(super) text: Option<Arc<str>>,
}

/// All that is measured on.
#[derive(Debug)]
pub(super) struct Data {
    /// The models that have an answer, the cheapest layer first.
    pub(super) models: Vec<Arc<Model>>,
    /// By the number of the model: tokens that are billed beyond those recorded.
    pub(super) hidden: Vec<u64>,
    pub(super) sources: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Answers without a recorded number of tokens.
    pub(super) assumed: usize,
}

/// What is measured on, and the scores, which whoever chooses models is not given.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) data: Rc<Data>,
    pub(super) marks: Marks,
}

impl Row {
    /// The models that have an answer.
    pub(super) fn models(&self) -> impl Iterator<Item = usize> {
        let places = self.answers.iter().enumerate();
        places.filter_map(|(place, answer)| answer.as_ref().map(|_| place))
    }

    /// What a model's answer cost; nothing where there is none.
    pub(super) fn cost(&self, model: usize) -> Option<NanoUsd> {
        self.answer(model).map(|answer| answer.cost)
    }

    /// A model's answer.
    pub(super) fn answer(&self, model: usize) -> Option<&Recorded> {
        self.answers.get(model).and_then(Option::as_ref)
    }

    /// Whether all answers were recorded with their texts.
    pub(super) fn has_texts(&self) -> bool {
        self.answers.iter().flatten().all(|answer| answer.text.is_some())
    }
}

impl HiddenTokens {
    /// Reads `PATTERN=NUMBER`.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn parse(text: &str) -> Result<Self, EvalError> {
        let parts = text.rsplit_once('=');
        let parsed = parts.and_then(|(pattern, tokens)| Some((pattern, tokens.trim().parse().ok()?)));
        match parsed {
            Some((pattern, tokens)) if !pattern.is_empty() && tokens <= 1_000_000 => Ok(Self {
                pattern: pattern.to_owned(),
                tokens,
            }),
            _ => Err(EvalError::Flag {
                flag: "hidden-tokens",
                problem: "it must be PATTERN=NUMBER, for example o1*=500, with at most 1000000 tokens".to_owned(),
            }),
        }
    }

    fn of(all: &[Self], model: &Model) -> u64 {
        let pattern = |one: &&Self| model.is_among(&[one.pattern.as_str().into()]);
        all.iter().rfind(pattern).map_or(0, |one| one.tokens)
    }
}

/// Reads what is wanted of a file, packed or not.
///
/// # Errors
/// When the file cannot be read, a line is not of the form, names a model that is not among these or stands there twice,
/// or nothing is left.
pub(super) fn read(path: &Path, models: Vec<Model>, wanted: &Wanted<'_>) -> Result<Material, EvalError> {
    let ids = wanted.ids.map(read_ids).transpose()?;
    let hidden: Vec<u64> = models
        .iter()
        .map(|model| HiddenTokens::of(wanted.hidden, model))
        .collect();
    let mut data = Data {
        models: models.into_iter().map(Arc::new).collect(),
        hidden,
        sources: Vec::new(),
        rows: Vec::new(),
        assumed: 0,
    };
    let mut marks = Marks::default();
    let mut places = HashMap::new();
    for (place, model) in data.models.iter().enumerate() {
        places.insert(Arc::clone(&model.api_model), place);
    }
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    let mut lines = Lines::open(path)?;
    let mut count = 0;
    while let Some((number, bytes)) = lines.next()? {
        let line = Line::parse(bytes).map_err(|problem| EvalError::line(path, number, problem))?;
        count += 1;
        let key = (line.source.clone(), line.id.clone());
        if let Some(first) = seen.insert(key, number) {
            let problem = format!("`id` and `source` are those of line {first}: each question may stand there once");
            return Err(EvalError::line(path, number, problem));
        }
        let is_wanted = wanted.source.is_none_or(|source| source == line.source)
            && ids.as_ref().is_none_or(|ids| ids.has(&line.source, &line.id));
        let is_enough = wanted.limit.is_some_and(|limit| data.rows.len() >= limit);
        if !is_wanted || is_enough {
            continue;
        }
        let row = data
            .row(&line, &places)
            .map_err(|problem| EvalError::line(path, number, problem))?;
        let place = |name: &str| places.get(name).copied();
        let marked = marks.add(bytes, data.models.len(), place);
        marked.map_err(|problem| EvalError::line(path, number, problem))?;
        data.assumed += line.assumed();
        data.rows.push(row);
    }
    if count == 0 {
        return Err(EvalError::whole(path, "there is no question in it"));
    }
    if data.rows.is_empty() {
        let problem = "no question is left: check --source, --ids and --limit";
        return Err(EvalError::whole(path, problem));
    }
    Ok(Material {
        data: Rc::new(data),
        marks,
    })
}

impl Data {
    /// The row of a line; its source is noted.
    fn row(&mut self, line: &Line, places: &HashMap<Arc<str>, usize>) -> Result<Row, String> {
        let mut answers = vec![None; self.models.len()];
        for (name, outcome) in &line.outcomes {
            let known = places.get(name.as_str());
            let Some((place, model)) = known.and_then(|place| Some((*place, self.models.get(*place)?))) else {
                return Err(format!(
                    "`outcomes` names the model {name:?}, which is not in the file of models"
                ));
            };
            let hidden = self.hidden.get(place).copied().unwrap_or_default();
            let bytes = line.question.len() as u64;
            let usage = TokenUsage {
                input: tokens("input_tokens", outcome.input_tokens, bytes.div_ceil(BYTES_PER_TOKEN))?,
                output: tokens("output_tokens", outcome.output_tokens, USUAL_OUTPUT)? + hidden,
                reasoning: hidden,
                ..TokenUsage::default()
            };
            if let Some(cell) = answers.get_mut(place) {
                *cell = Some(Recorded {
                    usage,
                    cost: model.price.map_or(NanoUsd::ZERO, |price| price.cost(&usage)),
                    text: outcome.text.as_deref().map(Into::into),
                });
            }
        }
        let known = self.sources.iter().position(|source| *source == line.source);
        Ok(Row {
            source: known.unwrap_or_else(|| {
                self.sources.push(line.source.clone());
                self.sources.len() - 1
            }),
            question: line.question.as_str().into(),
            answers,
        })
    }
}

/// A number of tokens, or the usual one where none is given.
fn tokens(name: &str, given: Option<u64>, usual: u64) -> Result<u64, String> {
    let most = u64::from(u32::MAX);
    match given {
        Some(count) if count > most => Err(format!("`{name}` must be 0 to {most}")),
        given => Ok(given.unwrap_or(usual).min(most)),
    }
}

/// The ids of a file: `ID`, or `SOURCE`, a tab and `ID`.
#[derive(Debug, Default)]
struct Ids {
    any: HashSet<String>,
    of_source: HashSet<(String, String)>,
}

impl Ids {
    fn has(&self, source: &str, id: &str) -> bool {
        self.any.contains(id) || self.of_source.contains(&(source.to_owned(), id.to_owned()))
    }
}

fn read_ids(path: &Path) -> Result<Ids, EvalError> {
    let text = std::fs::read_to_string(path).map_err(EvalError::file(path))?;
    let mut ids = Ids::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once('\t') {
            Some((source, id)) => {
                ids.of_source.insert((source.to_owned(), id.to_owned()));
            }
            None => {
                ids.any.insert(line.trim().to_owned());
            }
        }
    }
    Ok(ids)
}

/// The lines of a file, packed or not, that have anything in them.
struct Lines<'a> {
    path: &'a Path,
    reader: Box<dyn BufRead>,
    packed: bool,
    number: usize,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, EvalError> {
        let file = std::fs::File::open(path).map_err(EvalError::file(path))?;
        let mut reader = BufReader::new(file);
        let packed = reader.fill_buf().map_err(EvalError::file(path))?.starts_with(&GZIP);
        Ok(Self {
            path,
            reader: if packed {
                Box::new(BufReader::new(MultiGzDecoder::new(reader)))
            } else {
                Box::new(reader)
            },
            packed,
            number: 0,
            line: Vec::new(),
        })
    }

    /// The next line and its number, from 1.
    fn next(&mut self) -> Result<Option<(usize, &[u8])>, EvalError> {
        loop {
            self.line.clear();
            let read = self
                .reader
                .by_ref()
                .take(MOST_LINE + 1)
                .read_until(b'\n', &mut self.line);
            self.number += 1;
            let read = read.map_err(|source| {
                let path = self.path.to_owned();
                match self.packed {
                    true => EvalError::Packed {
                        path,
                        line: self.number,
                        source,
                    },
                    false => EvalError::File { path, source },
                }
            })?;
            if read == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 > MOST_LINE {
                let problem = format!("it has more than {MOST_LINE} bytes");
                return Err(EvalError::line(self.path, self.number, problem));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.number, self.line.trim_ascii())))
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
