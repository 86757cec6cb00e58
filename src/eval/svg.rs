//! Diagrams: accuracy over cost. The same figures give the same text, byte for byte.

use std::fmt::Write as _;

use super::curve::Point;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
/// Colours that are told apart by people who confuse red and green.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// A diagram.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    pub(super) title: String,
    /// What is told along the bottom.
    pub(super) across: String,
    /// What is told along the side.
    pub(super) up: String,
    /// Lines through points, in the order given.
    pub(super) lines: Vec<(String, Vec<Point>)>,
    /// Single points.
    pub(super) marks: Vec<(String, Point)>,
}

/// The part of the plane that is shown.
struct Frame {
    across: (f64, f64),
    up: (f64, f64),
}

impl Diagram {
    /// The diagram as a text.
    pub(super) fn svg(&self) -> String {
        let frame = self.frame();
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"24\" \
             font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        self.grid(&frame, &mut text);
        self.draw(&frame, &mut text);
        text.push_str("</svg>\n");
        text
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        let lines = self.lines.iter().flat_map(|(_, points)| points);
        lines.chain(self.marks.iter().map(|(_, point)| point))
    }

    fn frame(&self) -> Frame {
        let most = self.points().map(|point| point.cost).fold(0.0, f64::max);
        let low = self.points().map(|point| point.accuracy).fold(1.0, f64::min);
        let high = self.points().map(|point| point.accuracy).fold(0.0, f64::max);
        let tenths = |value: f64, round: fn(f64) -> f64| (round(value * 10.0) / 10.0).clamp(0.0, 1.0);
        let (low, high) = (tenths(low, f64::floor), tenths(high, f64::ceil));
        Frame {
            across: (0.0, if most > 0.0 { most * 1.04 } else { 1.0 }),
            up: if high > low { (low, high) } else { (0.0, 1.0) },
        }
    }

    fn grid(&self, frame: &Frame, text: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for step in ticks(frame.up) {
            let y = frame.y(step);
            let _ = writeln!(
                text,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                short(step)
            );
        }
        for step in ticks(frame.across) {
            let x = frame.x(step);
            let _ = writeln!(
                text,
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#eee\"/><text x=\"{x:.1}\" y=\"{}\" \
                 text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                short(step)
            );
        }
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#333\"/>\n<text x=\"{}\" y=\"{}\" \
             text-anchor=\"middle\">{}</text>\n<text transform=\"translate(16 {}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 14.0,
            escaped(&self.across),
            f64::midpoint(TOP, bottom),
            escaped(&self.up)
        );
    }

    fn draw(&self, frame: &Frame, text: &mut String) {
        let legend = WIDTH - RIGHT + 14.0;
        let mut y = TOP + 8.0;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let mut path = String::new();
            for (place, point) in points.iter().enumerate() {
                let letter = if place == 0 { 'M' } else { 'L' };
                let _ = write!(
                    path,
                    "{letter}{:.1} {:.1}",
                    frame.x(point.cost),
                    frame.y(point.accuracy)
                );
            }
            let _ = writeln!(
                text,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n<path d=\"M{legend} \
                 {y:.1}h16\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{:.1}\">{}</text>",
                legend + 22.0,
                y + 4.0,
                escaped(name)
            );
            y += 18.0;
        }
        for (number, (name, point)) in self.marks.iter().enumerate() {
            let letter = label(number);
            let (x, dot) = (frame.x(point.cost), frame.y(point.accuracy));
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{dot:.1}\" r=\"3.5\" fill=\"#333\"/><text x=\"{:.1}\" \
                 y=\"{:.1}\">{letter}</text>\n<text x=\"{legend}\" y=\"{:.1}\">{letter}</text><text x=\"{}\" \
                 y=\"{:.1}\">{}</text>",
                x + 6.0,
                dot - 5.0,
                y + 4.0,
                legend + 22.0,
                y + 4.0,
                escaped(name)
            );
            y += 16.0;
        }
    }
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        let (from, to) = self.across;
        LEFT + (value - from) / (to - from) * (WIDTH - RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let (from, to) = self.up;
        HEIGHT - BOTTOM - (value - from) / (to - from) * (HEIGHT - BOTTOM - TOP)
    }
}

/// Five to ten round numbers from one end to the other.
fn ticks((from, to): (f64, f64)) -> Vec<f64> {
    let rough = (to - from) / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|round| round * power);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (from / step - 1e-9).ceil();
    let numbers = (0..20).map(|place| (first + f64::from(place)) * step);
    numbers.take_while(|number| *number <= to + step * 1e-9).collect()
}

/// A number with no more digits than it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// a to z, then a1 and so on.
fn label(number: usize) -> String {
    let letter = u8::try_from(number % 26).map_or('?', |place| char::from(b'a' + place));
    match number / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => clean.push_str("&amp;"),
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            '"' => clean.push_str("&quot;"),
            // What XML has no place for.
            character if character.is_control() => clean.push(' '),
            character => clean.push(character),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> Diagram {
        let point = |cost, accuracy| Point { cost, accuracy };
        Diagram {
            title: "a & <b>".to_owned(),
            across: "US$".to_owned(),
            up: "accuracy".to_owned(),
            lines: vec![("router".to_owned(), vec![point(0.0, 0.5), point(2.0, 0.9)])],
            marks: vec![
                ("small\u{1}".to_owned(), point(1.0, 0.61)),
                ("large".to_owned(), point(2.0, 0.8)),
            ],
        }
    }

    #[test]
    fn a_diagram_holds_its_lines_marks_and_names_and_is_always_the_same() {
        let text = diagram().svg();
        assert_eq!(text, diagram().svg());
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert!(text.contains("a &amp; &lt;b&gt;") && text.contains("small ") && text.contains(">large<"));
        assert_eq!(text.matches("<circle").count(), 2);
        // From the left end of the axis to nearly the right one, and from .5 at the bottom to .9 at the top.
        assert!(text.contains("M62.0 418.0L531.2 44.0"), "{text}");
    }

    #[test]
    fn without_points_there_is_still_a_frame() {
        let text = Diagram::default().svg();
        assert!(
            text.contains("</svg>") && !text.contains("NaN") && !text.contains("inf"),
            "{text}"
        );
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks((0.0, 1.0)), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        let few = ticks((0.0, 8.94));
        assert_eq!(few, [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(
            (short(0.30000000000000004), short(0.0), short(20.0)),
            ("0.3".into(), "0".into(), "20".into())
        );
        assert_eq!((label(0), label(27)), ("a".to_owned(), "b1".to_owned()));
    }
}
