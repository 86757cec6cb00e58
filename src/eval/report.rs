//! How figures are told: as a text, as JSON, and drawn.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::curve::{Point, by_cost};
use super::error::EvalError;
use super::figures::{AtShare, Figures, GroupFigures, Line, PairFigures, PairGroup};
use super::measure::Measurement;
use super::svg::Diagram;

/// The figures as they are told.
pub(super) fn of(figures: &Figures) -> Result<Measurement, EvalError> {
    let json = serde_json::to_string_pretty(figures).map_err(|error| EvalError::Broken(error.to_string()))?;
    let mut names = Names::default();
    let mut drawings: Vec<(String, String)> = Vec::with_capacity(figures.groups.len() + 1);
    if let Some(pair) = &figures.pair {
        drawings.push((names.free("two-models"), two_models(pair).svg()));
    }
    for group in &figures.groups {
        drawings.push((names.free(&file_name(&group.name)), curve(group).svg()));
    }
    Ok(Measurement {
        text: text(figures),
        json: json + "\n",
        drawings,
    })
}

/// Names of files that are taken, on systems too that do not tell capital letters from small ones.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    /// A name for a diagram: this one, with a number where it is taken.
    fn free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1_usize;
        while !self.0.insert(free.to_ascii_lowercase()) {
            number += 1;
            free = format!("{name}-{number}");
        }
        free + ".svg"
    }
}

fn text(figures: &Figures) -> String {
    let mut text = format!(
        "{} questions, calibration: {}\n",
        figures.questions, figures.calibration
    );
    // Writing to memory does not fail.
    for model in &figures.models {
        let known = if model.known {
            "known to the calibration"
        } else {
            "judged by its layer"
        };
        let _ = write!(text, "  {} {}, {known}", model.layer, model.name);
        if model.hidden_tokens > 0 {
            let _ = write!(text, ", {} hidden tokens billed for each answer", model.hidden_tokens);
        }
        text.push('\n');
    }
    for note in &figures.notes {
        let _ = writeln!(text, "- {note}");
    }
    for group in &figures.groups {
        of_group(group, &mut text);
    }
    if let Some(pair) = &figures.pair {
        of_pair(pair, &mut text);
    }
    text
}

fn of_group(group: &GroupFigures, text: &mut String) {
    let _ = writeln!(text, "\n== {} ({} questions)", group.name, group.questions);
    let _ = writeln!(
        text,
        "{:<72} {:>8} {:>10} {:>7} {:>12}",
        "", "accuracy", "$ / 1,000", "share", "router there"
    );
    let mut part = |title: &str, lines: &[Line]| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(text, "{title}");
        for line in lines {
            let share = line.share.map_or_else(String::new, |share| format!("{share:.3}"));
            let there = line
                .router_there
                .map_or_else(String::new, |there| format!("{there:.4}"));
            let row = format!(
                "  {:<70} {:>8.4} {:>10.4} {share:>7} {there:>12}",
                line.name, line.accuracy, line.usd_per_thousand
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
    };
    part("one model always", &group.models);
    if let Some(strongest) = &group.strongest {
        part(&format!("strongest: {strongest}; beside it"), &group.baselines);
    } else {
        part("beside them", &group.baselines);
    }
    part("simple rules over the text", &group.rules);
    part("router: cheap answers are compared", &group.compared);
    part("router: one model is asked", &group.one_model);
    part("router by quality", &group.qualities);
    at_shares(&group.at_shares, text);
}

fn at_shares(shares: &[AtShare], text: &mut String) {
    if shares.is_empty() {
        return;
    }
    let mut row = |title: &str, of: &dyn Fn(&AtShare) -> Option<f64>, digits: usize| {
        let _ = write!(text, "{title:<44}");
        for share in shares {
            let told = of(share).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            let _ = write!(text, " {told:>8}");
        }
        text.push('\n');
    };
    row("at a share of the strongest's cost", &|at| Some(at.share), 2);
    row("  router's accuracy", &|at| at.accuracy, 4);
    row("  less the strongest's", &|at| at.minus_strongest, 4);
    row("    95 % from", &|at| at.low, 4);
    row("    95 % to", &|at| at.high, 4);
    row("  where one model is asked", &|at| at.one_model, 4);
    row("  keyword weights as an order", &|at| at.keyword_order, 4);
}

fn of_pair(pair: &PairFigures, text: &mut String) {
    let _ = writeln!(text, "\n== two models: {} and {}", pair.weak, pair.strong);
    for group in &pair.groups {
        of_orders(group, text);
    }
    let _ = writeln!(text, "calls of the stronger, accuracy, $ / 1,000");
    for point in pair.curve.iter().step_by(4) {
        let _ = writeln!(
            text,
            "  {:>6.1} %  {:.4}  {:.4}",
            point.share * 100.0,
            point.accuracy,
            point.usd_per_thousand
        );
    }
}

fn of_orders(group: &PairGroup, text: &mut String) {
    let _ = writeln!(text, "{}", group.name);
    if group.orders.is_empty() {
        let _ = writeln!(
            text,
            "  the second is not more often right than the first here: there is no gap to recover, and no APGR"
        );
        return;
    }
    let mut row = |cells: [&str; 5]| {
        let [name, apgr, interval, half, most] = cells;
        let _ = writeln!(text, "  {name:<30} {apgr:>8} {interval:>17} {half:>8} {most:>8}");
    };
    row(["order", "APGR", "95 %", "CPT(50)", "CPT(80)"]);
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    for order in &group.orders {
        let interval = match (order.low, order.high) {
            (Some(low), Some(high)) => format!("{low:.4} - {high:.4}"),
            _ => String::new(),
        };
        let apgr = format!("{:.4}", order.apgr);
        row([
            order.name,
            &apgr,
            &interval,
            &percent(order.cpt50),
            &percent(order.cpt80),
        ]);
    }
    row(["random", "0.5000", "", "50.0 %", "80.0 %"]);
}

/// A name that any file system takes.
fn file_name(name: &str) -> String {
    let kept: String = name
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(80)
        .collect();
    let parts: Vec<&str> = kept.split('-').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "unnamed".to_owned(),
        false => parts.join("-"),
    }
}

fn curve(group: &GroupFigures) -> Diagram {
    let points = |lines: &[Line]| by_cost(lines.iter().map(Line::point).collect());
    let mut diagram = Diagram {
        title: format!("{}: accuracy over cost", group.name),
        across: "US$ per 1,000 questions".to_owned(),
        up: "accuracy".to_owned(),
        ..Diagram::default()
    };
    let mut line = |name: &str, points: Vec<Point>| {
        if points.len() > 1 {
            diagram.lines.push((name.to_owned(), points));
        }
    };
    line("router, answers compared", points(&group.compared));
    line("router, one model", points(&group.one_model));
    let thousand = |point: &Point| Point {
        cost: point.cost * 1_000.0,
        ..*point
    };
    line("keyword weights", group.keyword_order.iter().map(thousand).collect());
    let marks = group.models.iter().chain(&group.baselines).chain(&group.rules);
    diagram.marks = marks.map(|line| (shortened(&line.name), line.point())).collect();
    diagram
}

/// A legend has room for so much.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(30) {
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn two_models(pair: &PairFigures) -> Diagram {
    let points: Vec<Point> = pair
        .curve
        .iter()
        .map(|point| Point {
            cost: point.share,
            accuracy: point.accuracy,
        })
        .collect();
    let ends: Vec<Point> = [points.first(), points.last()].into_iter().flatten().copied().collect();
    Diagram {
        title: format!("{} and {}", pair.weak, pair.strong),
        across: "share of calls that the stronger gets".to_owned(),
        up: "accuracy".to_owned(),
        lines: vec![("by expected gain".to_owned(), points), ("at random".to_owned(), ends)],
        marks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_like_names_have_diagrams_of_their_own() {
        let mut names = Names::default();
        let sources = ["a/b", "a-b", "A b", "\u{fc}", "\u{4e2d}", "a-b-2", "two-models"];
        let mut found = vec![names.free("two-models")];
        found.extend(sources.iter().map(|source| names.free(&file_name(source))));
        let expected = [
            "two-models.svg",
            "a-b.svg",
            "a-b-2.svg",
            "A-b-3.svg",
            "unnamed.svg",
            "unnamed-2.svg",
            "a-b-2-2.svg",
            "two-models-2.svg",
        ];
        assert_eq!(found, expected);
    }
}
