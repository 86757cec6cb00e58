//! The order in which the events of a stream may come: an explicit state machine over the dialect's event types.
//!
//! The dialect allows items side by side; here they come one after the other, each opened, filled and closed before the
//! next, as every client can read it.

/// What an event says of its place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step<'s> {
    /// The event's type.
    pub(super) kind: &'s str,
    pub(super) sequence: u64,
    pub(super) output_index: Option<u64>,
    pub(super) item_id: Option<&'s str>,
    /// Its `content_index` or `summary_index`.
    pub(super) part_index: Option<u64>,
    /// The type and the id of the item that it carries.
    pub(super) item: Option<(&'s str, &'s str)>,
    /// The type of the part that it carries.
    pub(super) part: Option<&'s str>,
}

/// Why an event may not come where it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Violation(pub(super) &'static str);

/// Where a stream is.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    /// The number that the next event must have.
    next: u64,
    phase: Phase,
    /// Items that are closed.
    items: u64,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Start,
    Created,
    /// Items come and go.
    Running,
    Over,
}

/// The item that is being filled.
#[derive(Debug)]
struct Open {
    kind: String,
    id: String,
    /// Parts that are closed.
    parts: u64,
    part: Option<Part>,
    /// Whether the arguments of a call have been told whole.
    is_filled: bool,
}

#[derive(Debug)]
struct Part {
    kind: String,
    /// Whether its text has been told whole.
    is_told: bool,
}

impl Grammar {
    /// Whether the stream has come to an end of its own.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Takes an event.
    ///
    /// # Errors
    /// When it may not come here.
    pub(super) fn step(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        require(step.sequence == self.next, "sequence numbers rise by one from 0")?;
        self.next += 1;
        match (self.phase, step.kind) {
            (Phase::Over, _) => Err(Violation("nothing comes after the end")),
            (_, "error" | "response.failed") => {
                self.phase = Phase::Over;
                Ok(())
            }
            (Phase::Start, "response.created") => {
                self.phase = Phase::Created;
                Ok(())
            }
            (Phase::Start, _) => Err(Violation("a stream begins with response.created")),
            (Phase::Created, "response.in_progress") => {
                self.phase = Phase::Running;
                Ok(())
            }
            (Phase::Created, _) => Err(Violation("response.in_progress comes second")),
            (Phase::Running, "response.completed" | "response.incomplete") => {
                require(self.open.is_none(), "a response ends with no item open")?;
                self.phase = Phase::Over;
                Ok(())
            }
            (Phase::Running, "response.output_item.added") => self.open(step),
            (Phase::Running, _) => self.within(step),
        }
    }

    fn open(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        require(self.open.is_none(), "an item is added while another is open")?;
        require(step.output_index == Some(self.items), "items are counted from 0")?;
        let (kind, id) = step.item.ok_or(Violation("an item is added that is none"))?;
        require(!id.is_empty(), "an item has an id")?;
        self.open = Some(Open {
            kind: kind.to_owned(),
            id: id.to_owned(),
            parts: 0,
            part: None,
            is_filled: false,
        });
        Ok(())
    }

    /// An event of the open item.
    fn within(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        let open = self.open.as_mut().ok_or(Violation("no item is open"))?;
        require(
            step.output_index == Some(self.items),
            "events name the open item's place",
        )?;
        if step.kind == "response.output_item.done" {
            require(
                step.item == Some((&*open.kind, &*open.id)),
                "the item that is done is the one that was added",
            )?;
            require(open.part.is_none(), "an item is done with no part open")?;
            let is_call = matches!(&*open.kind, "function_call" | "custom_tool_call");
            require(open.is_filled || !is_call, "a call is done with its arguments")?;
            self.items += 1;
            self.open = None;
            return Ok(());
        }
        require(step.item_id == Some(&*open.id), "events name the open item's id")?;
        open.fill(step)
    }
}

impl Open {
    fn fill(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        match (&*self.kind, step.kind) {
            ("function_call", "response.function_call_arguments.delta")
            | ("custom_tool_call", "response.custom_tool_call_input.delta") => {
                require(!self.is_filled, "no delta comes after the whole")
            }
            ("function_call", "response.function_call_arguments.done")
            | ("custom_tool_call", "response.custom_tool_call_input.done") => {
                require(!self.is_filled, "arguments are whole once")?;
                self.is_filled = true;
                Ok(())
            }
            ("message", "response.content_part.added") | ("reasoning", "response.reasoning_summary_part.added") => {
                require(self.part.is_none(), "a part is added while another is open")?;
                require(step.part_index == Some(self.parts), "parts are counted from 0")?;
                let kind = step.part.ok_or(Violation("a part is added that is none"))?;
                self.part = Some(Part {
                    kind: kind.to_owned(),
                    is_told: false,
                });
                Ok(())
            }
            ("message" | "reasoning", _) => self.tell(step),
            _ => Err(Violation("an event that the open item does not have")),
        }
    }

    /// An event of the open part.
    fn tell(&mut self, step: &Step<'_>) -> Result<(), Violation> {
        let part = self.part.as_mut().ok_or(Violation("no part is open"))?;
        require(step.part_index == Some(self.parts), "events name the open part's place")?;
        match (&*part.kind, step.kind) {
            ("output_text", "response.output_text.delta")
            | ("refusal", "response.refusal.delta")
            | ("summary_text", "response.reasoning_summary_text.delta") => {
                require(!part.is_told, "no delta comes after the whole")
            }
            ("output_text", "response.output_text.done")
            | ("refusal", "response.refusal.done")
            | ("summary_text", "response.reasoning_summary_text.done") => {
                require(!part.is_told, "a text is whole once")?;
                part.is_told = true;
                Ok(())
            }
            ("output_text" | "refusal", "response.content_part.done")
            | ("summary_text", "response.reasoning_summary_part.done") => {
                require(part.is_told, "a part is done with its text")?;
                require(
                    step.part == Some(&*part.kind),
                    "the part that is done is the one that was added",
                )?;
                self.parts += 1;
                self.part = None;
                Ok(())
            }
            _ => Err(Violation("an event that the open part does not have")),
        }
    }
}

fn require(holds: bool, rule: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(rule)) }
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
pub(in crate::dialects) mod tests;
