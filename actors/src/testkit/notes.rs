//! Offers, outcomes and the notebook in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::{
    ArmSum, Decided, EarlierTests, EscalationDecision, EscalationId, EscalationState, EscalationStore, Experiment,
    ExperimentId, ExperimentStatus, Feedback, HashSecret, Improvement, ImprovementId, ImprovementKind, ModelEdit,
    ModelId, NanoUsd, NewEscalation, NotebookStore, OutcomeGroup, OutcomeRow, OutcomeStore, RecordOwner, RequestId,
    StoreError, StoreFuture, StoredCalibration, StoredEscalation, SuccessRow, add_trials, count_successes,
};
use crate::runtime::unix_micros;

/// Keeps to the shape of the ports, not to every rule of the database: those are tested where the database is. Whoever
/// gives feedback owns every outcome.
#[derive(Debug, Default)]
pub struct MemoryNotes {
    offers: Table<EscalationId, StoredEscalation>,
    outcomes: Table<RequestId, OutcomeRow>,
    experiments: Table<ExperimentId, Experiment>,
    improvements: Table<ImprovementId, Improvement>,
    edits: Table<ModelId, ModelEdit>,
    calibration: ArcSwap<Option<StoredCalibration>>,
    away: ArcSwap<bool>,
}

#[derive(Debug)]
struct Table<K, V>(ArcSwap<BTreeMap<K, V>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(BTreeMap::new()))
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    fn all(&self) -> Vec<V> {
        self.0.load().values().cloned().collect()
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.load().get(key).cloned()
    }

    /// Changes the table in one step. The change may be made several times; the last one counts.
    fn change<R: Default>(&self, change: impl Fn(&mut BTreeMap<K, V>) -> R) -> R {
        let mut result = R::default();
        self.0.rcu(|rows| {
            let mut rows = BTreeMap::clone(rows);
            result = change(&mut rows);
            rows
        });
        result
    }
}

impl MemoryNotes {
    /// Makes the notes unreachable, or reachable again.
    pub fn set_away(&self, away: bool) {
        self.away.store(Arc::new(away));
    }

    /// The outcomes, in the order of their requests' ids.
    #[must_use]
    pub fn outcomes(&self) -> Vec<OutcomeRow> {
        self.outcomes.all()
    }

    /// The offers, in the order of their ids.
    #[must_use]
    pub fn offers(&self) -> Vec<StoredEscalation> {
        self.offers.all()
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T) -> StoreFuture<T> {
        let result = if **self.away.load() {
            Err(StoreError::Unavailable { source: None })
        } else {
            Ok(work(self))
        };
        Box::pin(std::future::ready(result))
    }
}

impl EscalationStore for MemoryNotes {
    fn secret(&self) -> StoreFuture<HashSecret> {
        self.answer(|_| HashSecret::new([7; 32]))
    }

    fn offer(&self, offer: NewEscalation) -> StoreFuture<()> {
        self.answer(|notes| {
            notes.offers.change(|offers| {
                let stored = StoredEscalation {
                    new: offer.clone(),
                    state: EscalationState::Pending,
                };
                offers.insert(offer.id, stored);
            });
        })
    }

    fn find(&self, id: EscalationId) -> StoreFuture<Option<StoredEscalation>> {
        self.answer(|notes| notes.offers.get(&id))
    }

    fn decide(&self, id: EscalationId, decision: EscalationDecision) -> StoreFuture<Decided> {
        self.answer(|notes| {
            let decided = notes.offers.change(|offers| {
                let offer = offers.get_mut(&id)?;
                if offer.state != EscalationState::Pending {
                    return Some(Decided::Used);
                }
                if offer.new.expires_at <= unix_micros() {
                    return Some(Decided::Expired);
                }
                offer.state = match decision {
                    EscalationDecision::Approve => EscalationState::Approved,
                    EscalationDecision::Reject => EscalationState::Rejected,
                };
                let offered = Box::new(offer.clone());
                (offer.new.body, offer.new.note) = ("".into(), "".into());
                Some(Decided::Done(offered))
            });
            decided.unwrap_or(Decided::Unknown)
        })
    }
}

impl OutcomeStore for MemoryNotes {
    fn insert(&self, rows: Vec<OutcomeRow>) -> StoreFuture<()> {
        self.answer(|notes| {
            notes.outcomes.change(|outcomes| {
                for row in &rows {
                    outcomes.entry(row.request).or_insert_with(|| row.clone());
                }
            });
        })
    }

    fn feedback(&self, feedback: Feedback, _: RecordOwner) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes.outcomes.change(|outcomes| {
                let row = outcomes.get_mut(&feedback.request);
                row.is_some_and(|row| {
                    (row.rating, row.accepted, row.tests) = (feedback.rating, feedback.accepted, feedback.tests);
                    true
                })
            })
        })
    }

    fn note_tests(&self, earlier: EarlierTests) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes.outcomes.change(|outcomes| {
                let before = outcomes.range_mut(..earlier.told_by).rev();
                let mut of_conversation =
                    before.filter(|(_, row)| row.conversation.as_ref() == Some(&earlier.conversation));
                of_conversation.next().is_some_and(|(_, row)| {
                    row.tests = Some(earlier.tests);
                    true
                })
            })
        })
    }

    fn table(&self, since: i64) -> StoreFuture<Vec<SuccessRow>> {
        self.answer(|notes| {
            let edits = notes.edits.all();
            let from = |model: &ModelId| {
                let edit = edits.iter().find(|edit| edit.model == *model);
                edit.and_then(|edit| edit.since).unwrap_or(since).max(since)
            };
            let rows = notes.outcomes.all();
            let groups = rows.iter().flat_map(|row| {
                let counts = |group: &OutcomeGroup| row.created_at >= from(&group.model);
                row.groups().filter(counts).collect::<Vec<_>>()
            });
            let mut table = count_successes(&groups.collect::<Vec<_>>());
            add_trials(&mut table, &edits);
            table
        })
    }

    fn experiment_sums(&self, experiment: ExperimentId) -> StoreFuture<Vec<ArmSum>> {
        self.answer(|notes| {
            let mut sums: BTreeMap<Arc<str>, ArmSum> = BTreeMap::new();
            for row in notes.outcomes.all() {
                let Some((_, arm)) = row.experiment.clone().filter(|(id, _)| *id == experiment) else {
                    continue;
                };
                let sum = sums.entry(Arc::clone(&arm)).or_insert_with(|| ArmSum {
                    arm,
                    count: 0,
                    failures: 0,
                    cost: NanoUsd::ZERO,
                });
                sum.count += u64::from(row.counts());
                sum.failures += u64::from(row.is_failure());
                sum.cost += row.cost;
            }
            sums.into_values().collect()
        })
    }

    fn of_experiment(&self, experiment: ExperimentId, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.answer(|notes| {
            let rows = notes.outcomes.all().into_iter().rev();
            let is_in_it = |row: &OutcomeRow| row.experiment.as_ref().is_some_and(|(id, _)| *id == experiment);
            rows.filter(is_in_it).take(most as usize).collect()
        })
    }

    fn page(&self, since: i64, after: Option<Arc<str>>, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.answer(|notes| {
            let rows = notes.outcomes.all().into_iter();
            let is_behind = |row: &OutcomeRow| after.as_deref().is_none_or(|after| &*row.request.text() > after);
            let wanted = rows.filter(|row| row.created_at >= since && is_behind(row));
            wanted.take(most as usize).collect()
        })
    }
}

impl NotebookStore for MemoryNotes {
    fn experiments(&self) -> StoreFuture<Vec<Experiment>> {
        self.answer(|notes| notes.experiments.all())
    }

    fn put_experiment(&self, experiment: Experiment) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes.experiments.change(|experiments| {
                let stopped = |one: &Experiment| one.status == ExperimentStatus::Stopped;
                let may_be = stopped(&experiment) || !experiments.get(&experiment.id).is_some_and(stopped);
                if may_be {
                    experiments.insert(experiment.id, experiment.clone());
                }
                may_be
            })
        })
    }

    fn stop_experiment(&self, id: ExperimentId, reason: Arc<str>) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes.experiments.change(|experiments| {
                let running = experiments.get_mut(&id);
                let running = running.filter(|experiment| experiment.status != ExperimentStatus::Stopped);
                running.is_some_and(|experiment| {
                    experiment.status = ExperimentStatus::Stopped;
                    experiment.stopped_reason = Some(Arc::clone(&reason));
                    true
                })
            })
        })
    }

    fn delete_experiment(&self, id: ExperimentId) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes
                .experiments
                .change(|experiments| experiments.remove(&id).is_some())
        })
    }

    fn improvements(&self, kind: ImprovementKind) -> StoreFuture<Vec<Improvement>> {
        self.answer(|notes| {
            let improvements = notes.improvements.all().into_iter();
            improvements.filter(|improvement| improvement.kind == kind).collect()
        })
    }

    fn put_improvement(&self, improvement: Improvement) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes.improvements.change(|improvements| {
                improvements.insert(improvement.id, improvement.clone());
                true
            })
        })
    }

    fn delete_improvement(&self, id: ImprovementId) -> StoreFuture<bool> {
        self.answer(|notes| {
            notes
                .improvements
                .change(|improvements| improvements.remove(&id).is_some())
        })
    }

    fn model_edits(&self) -> StoreFuture<Vec<ModelEdit>> {
        self.answer(|notes| notes.edits.all())
    }

    fn put_model_edit(&self, edit: ModelEdit) -> StoreFuture<()> {
        self.answer(|notes| {
            notes.edits.change(|edits| {
                edits.insert(edit.model.clone(), edit.clone());
            });
        })
    }

    fn delete_model_edit(&self, model: ModelId) -> StoreFuture<bool> {
        self.answer(|notes| notes.edits.change(|edits| edits.remove(&model).is_some()))
    }

    fn calibration(&self) -> StoreFuture<Option<StoredCalibration>> {
        self.answer(|notes| Option::clone(&notes.calibration.load()))
    }

    fn put_calibration(&self, calibration: StoredCalibration) -> StoreFuture<()> {
        self.answer(|notes| notes.calibration.store(Arc::new(Some(calibration))))
    }

    fn revert_calibration(&self) -> StoreFuture<bool> {
        self.answer(|notes| notes.calibration.swap(Arc::default()).is_some())
    }
}
