//! `eval`: how well the gateway would have chosen models for recorded questions, and at what cost.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::eval::{self, EvalError, Order};

/// What is measured, and where the figures go.
#[derive(Debug, Clone, Args)]
pub struct EvalArgs {
    /// Recorded outcomes, a JSON object on each line; `.gz` is unpacked.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The models, with tiers and prices.
    #[arg(long, value_name = "FILE")]
    pub models: PathBuf,
    /// The folder for the diagrams and `eval.json`.
    #[arg(long, value_name = "FOLDER", default_value = "./eval")]
    pub out: PathBuf,
    /// Only questions of this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Only so many questions.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Output tokens that a model is billed for beyond those recorded, as PATTERN=NUMBER; repeatable.
    #[arg(long, value_name = "PATTERN=NUMBER", default_value = "o1*=500")]
    pub hidden_tokens: Vec<String>,
    /// Another calibration than the shipped one.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Only questions with these ids, one on each line.
    #[arg(long, value_name = "FILE")]
    pub ids: Option<PathBuf>,
    /// Tells it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Measures, writes diagrams and `eval.json`, and tells the figures by `say`.
///
/// # Errors
/// When a file cannot be used, naming the line; nothing is written then. When the figures cannot be written.
pub fn eval(args: &EvalArgs, say: impl Fn(&str)) -> Result<(), EvalError> {
    let measured = eval::measure(&Order {
        data: args.data.clone(),
        models: args.models.clone(),
        source: args.source.clone(),
        limit: args.limit,
        hidden_tokens: args.hidden_tokens.clone(),
        calibration: args.calibration.clone(),
        ids: args.ids.clone(),
    })?;
    std::fs::create_dir_all(&args.out).map_err(unwritten(&args.out))?;
    for (name, drawing) in &measured.drawings {
        write(&args.out.join(name), drawing)?;
    }
    write(&args.out.join("eval.json"), &measured.json)?;
    if args.json {
        say(measured.json.trim_end());
    } else {
        say(measured.text.trim_end());
        say(&format!("diagrams and eval.json are in {}", args.out.display()));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), EvalError> {
    std::fs::write(path, text).map_err(unwritten(path))
}

fn unwritten(path: &Path) -> impl FnOnce(std::io::Error) -> EvalError + '_ {
    |source| EvalError::Output {
        path: path.to_owned(),
        source,
    }
}
