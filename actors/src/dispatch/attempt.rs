//! One attempt under way: the guard that owns its lease, its hold and its meter, and always settles.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cell::CellParts;
use super::settlement::{End, Size, settle};
use crate::protocol::{
    CallRecord, DispatchRecord, Excess, FailureKind, GaugeGuard, Hold, Lease, NanoUsd, Outcome, RecordCall, Report,
    TokenMeter, TokenUsage, UpstreamFailure, UsageReport, UsageSource, Verdict,
};
use crate::runtime::{AbortPoint, Seldom, pass};

/// An attempt that has been sent. However it ends, it is journalled, booked, recorded and reported once.
pub(super) struct Attempt {
    cell: Rc<CellParts>,
    /// Nothing once it has ended.
    open: Option<Open>,
    lease: Lease,
    ordinal: u8,
    sent: Instant,
    input_bound: u64,
    first_byte: Option<Duration>,
    status: Option<u16>,
    output_bytes: u64,
    usage: UsageReport,
    /// Whether it may have asked that something stays in the provider's cache for hours.
    long_writes: bool,
    /// Whether it asked to be answered at other prices than the usual ones.
    other_tier: bool,
    /// Whether it was reported that the provider works.
    well: bool,
    /// Is told of its tokens.
    counter: Option<Arc<dyn TokenMeter>>,
    _gauges: [GaugeGuard; 2],
}

/// What is settled when the attempt ends.
struct Open {
    record: DispatchRecord,
    hold: Hold,
}

/// What a finished attempt contributes to its request's account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished {
    pub(super) ordinal: u8,
    pub(super) outcome: Outcome,
    pub(super) usage: TokenUsage,
    pub(super) source: UsageSource,
    pub(super) cost: NanoUsd,
}

impl Attempt {
    /// Journals that the attempt is being sent, and marks its hold. A free call is made even if it cannot be
    /// journalled: its loss would cost nobody anything.
    pub(super) fn dispatch(
        cell: Rc<CellParts>,
        record: DispatchRecord,
        lease: Lease,
        mut hold: Hold,
        input_bound: u64,
    ) -> Result<Self, crate::protocol::JournalError> {
        if let Err(error) = cell.journal.dispatched(&record) {
            if !record.price.is_some_and(|price| price.is_free()) {
                return Err(error);
            }
            static SELDOM: Seldom = Seldom::new();
            if let Some(left_out) = SELDOM.now() {
                tracing::warn!(attempt = %record.attempt, error = %error, left_out, "a free call is made without a journal");
            }
        }
        pass(AbortPoint::Begun);
        hold.dispatch();
        let gauges = [cell.gauges.attempts.enter(), cell.gauges.holds.enter()];
        Ok(Self {
            cell,
            ordinal: record.attempt.ordinal,
            open: Some(Open { record, hold }),
            lease,
            sent: Instant::now(),
            input_bound,
            first_byte: None,
            status: None,
            output_bytes: 0,
            usage: UsageReport::Missing,
            long_writes: false,
            other_tier: false,
            well: false,
            counter: None,
            _gauges: gauges,
        })
    }

    /// Its tokens are counted by this when it ends.
    pub(super) fn counted_by(mut self, counter: Option<&Arc<dyn TokenMeter>>) -> Self {
        self.counter = counter.map(Arc::clone);
        self
    }

    /// Its cache writes may be long ones, as far as what was sent tells.
    pub(super) fn with_long_writes(mut self, may_be: bool) -> Self {
        self.long_writes = may_be;
        self
    }

    /// It asks to be answered at other prices than the usual ones, as far as what was sent tells.
    pub(super) fn in_other_tier(mut self, is_so: bool) -> Self {
        self.other_tier = is_so;
        self
    }

    /// What is held for it; nothing once it has ended.
    pub(super) fn held(&self) -> NanoUsd {
        self.open.as_ref().map_or(NanoUsd::ZERO, |open| open.record.held)
    }

    /// Notes the provider's status and that its first meaningful byte is there.
    ///
    /// A probe has succeeded by that: others must not wait for the end of a long stream.
    pub(super) fn answered(&mut self, status: u16) {
        self.status = Some(status);
        self.first_byte = Some(self.sent.elapsed());
        if self.lease.is_probe() {
            self.report_success();
        }
    }

    /// Meters a piece of the answer.
    pub(super) fn meter(&mut self, output_bytes: u64, usage: Option<UsageReport>) {
        self.output_bytes = self.output_bytes.saturating_add(output_bytes);
        if let Some(usage) = usage {
            self.usage = usage;
        }
    }

    /// The whole answer arrived.
    pub(super) fn completed(mut self) -> Finished {
        self.report_success();
        self.finish(End::Completed, Outcome::Completed)
    }

    /// The call failed.
    pub(super) fn failed(mut self, failure: &UpstreamFailure) -> Finished {
        self.status = failure.status.or(self.status);
        self.report_failure(failure);
        self.finish(End::Failed(failure), failure.outcome())
    }

    /// The whole answer arrived, and is of no use. It is on the bill as any whole answer is. That there is nothing in it may be
    /// the question's doing, or its limit's: nobody is shut out for it.
    pub(super) fn unusable(mut self, failure: &UpstreamFailure) -> Finished {
        match failure.kind {
            FailureKind::Empty => self.report_success(),
            _ => self.report_failure(failure),
        }
        self.finish(End::Completed, failure.outcome())
    }

    /// The client left, and what was still to come was not read.
    pub(super) fn client_left(mut self) -> Finished {
        if self.first_byte.is_some() {
            self.report_success();
        }
        self.finish(End::Left, Outcome::ClientLeft)
    }

    /// The client left, and the whole answer arrived all the same.
    pub(super) fn completed_for_nobody(mut self) -> Finished {
        self.report_success();
        self.finish(End::Completed, Outcome::ClientLeft)
    }

    /// Another answer was taken, and this one was not waited for any longer. That says nothing of its provider.
    pub(super) fn superseded(mut self) -> Finished {
        self.finish(End::Left, Outcome::Superseded)
    }

    fn finish(&mut self, end: End<'_>, outcome: Outcome) -> Finished {
        let Some(Open { record: dispatch, hold }) = self.open.take() else {
            return Finished::nothing(self.ordinal, outcome);
        };
        let size = Size {
            input_bound: self.input_bound,
            output_bytes: self.output_bytes,
            usage: self.usage,
            budgeted: dispatch.charges.is_some(),
            long_writes: self.long_writes,
            other_tier: self.other_tier,
        };
        let settlement = settle(end, size, dispatch.price.as_ref(), hold.amount());
        if let Some(counter) = &self.counter {
            let is_unknown = settlement.estimated && settlement.usage == TokenUsage::default();
            let tokens = settlement.usage.input.saturating_add(settlement.usage.output);
            counter.used((!is_unknown).then_some(tokens));
        }
        let record = CallRecord {
            dispatch,
            outcome,
            status: self.status,
            usage: settlement.usage,
            usage_source: settlement.source,
            cost: settlement.cost,
            estimated: settlement.estimated,
            first_byte_us: self.first_byte.map(micros),
            duration_us: micros(self.sent.elapsed()),
        };
        if record.dispatch.price.is_some()
            && let Some(excess) = record.excess()
        {
            warn_of(excess, &record);
        }
        pass(AbortPoint::Answered);
        let journalled = match self.cell.journal.finished(&record) {
            Ok(seq) => Some(seq),
            Err(error) => {
                static SELDOM: Seldom = Seldom::new();
                if let Some(left_out) = SELDOM.now() {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(attempt = %record.dispatch.attempt, error = %error, cause, left_out, "a finished attempt is not journalled");
                }
                None
            }
        };
        pass(AbortPoint::Ended);
        let record = Arc::new(record);
        if self.cell.cost.tell(RecordCall { record, journalled }).is_err() {
            tracing::error!("the cost tracker is gone; a call record is in the journal only");
        }
        // Last: a lease of which no hold is open has no call that was not handed over.
        hold.settle(settlement.cost);
        Finished {
            ordinal: self.ordinal,
            outcome,
            usage: settlement.usage,
            source: settlement.source,
            cost: settlement.cost,
        }
    }

    fn report_success(&mut self) {
        if std::mem::replace(&mut self.well, true) {
            return;
        }
        let first_byte = self.first_byte.unwrap_or_else(|| self.sent.elapsed());
        self.report(Verdict::Success { first_byte });
    }

    fn report_failure(&mut self, failure: &UpstreamFailure) {
        use FailureKind as Kind;
        // A request that is refused for what it says, or that its own deadline cut short, says nothing of the provider.
        if matches!(failure.kind, Kind::Rejected | Kind::ContextTooLong | Kind::Deadline) {
            return;
        }
        self.report(Verdict::Failure {
            kind: failure.kind,
            retry_after: failure.retry_after,
        });
    }

    fn report(&mut self, verdict: Verdict) {
        let Some(Open { record, .. }) = &self.open else {
            return;
        };
        let probe = self.lease.is_probe();
        self.lease.judged();
        let report = Report {
            model: record.model.clone(),
            verdict,
            probe,
            now: Instant::now(),
        };
        let told = self
            .cell
            .provider(&record.provider)
            .map(|provider| provider.actor.tell(report));
        if !matches!(told, Some(Ok(()))) {
            tracing::debug!(provider = %record.provider, "the provider actor is gone; a report was dropped");
        }
    }
}

impl Drop for Attempt {
    /// An attempt that nobody finished: it was cut since the process ends, or its task panicked. It may be on the bill.
    fn drop(&mut self) {
        if self.open.is_none() {
            return;
        }
        // What came was not read to its end: there may be more on the bill than was seen.
        let outcome = if self.cell.is_cut() && !std::thread::panicking() {
            Outcome::Cut
        } else {
            Outcome::Interrupted
        };
        self.finish(End::Abandoned, outcome);
    }
}

impl Finished {
    fn nothing(ordinal: u8, outcome: Outcome) -> Self {
        Self {
            ordinal,
            outcome,
            usage: TokenUsage::default(),
            source: UsageSource::None,
            cost: NanoUsd::ZERO,
        }
    }
}

/// A provider billed more than it was allowed to.
fn warn_of(excess: Excess, record: &CallRecord) {
    let sent = &record.dispatch;
    tracing::warn!(
        attempt = %sent.attempt,
        model = %sent.model,
        provider = %sent.provider,
        held = %sent.held,
        cost = %record.cost,
        output_cap = sent.output_cap,
        output = record.usage.output,
        "{}; it is booked in full",
        match excess {
            Excess::Cost => "a provider reported more usage than the attempt's worst case",
            Excess::Output => "a provider reported more output than the request allowed",
        }
    );
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
