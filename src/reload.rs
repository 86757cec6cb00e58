//! Exchanges the catalogue while the gateway serves: on SIGHUP, and when the file of `--config` has changed.
//!
//! The settings are loaded again from where they came from. If they are good, their models, prices, aliases and task
//! lists replace the old ones in one step: a request that is under way keeps the model it was planned with. If not, the
//! old ones stay. Everything else needs a restart, and the log says so.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway_actors::protocol::{Catalogue, Model};
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

use crate::catalogue::LiveCatalogue;
use crate::config::{Loaded, Problems, Settings};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How the settings are loaded again.
pub struct Reloader {
    load: Box<dyn Fn() -> Result<Loaded, Problems>>,
    file: Option<WatchedFile>,
}

impl Reloader {
    /// A reloader that loads by `load`, which reads the file of `--config` if one was given. Made before the settings
    /// are loaded for the first time, so that no change in between is missed.
    #[must_use]
    pub fn new(file: Option<&Path>, load: impl Fn() -> Result<Loaded, Problems> + 'static) -> Self {
        Self {
            load: Box::new(load),
            file: file.map(WatchedFile::new),
        }
    }

    /// Keeps the catalogue up to date for as long as it is polled. `running` is what the process was started with.
    ///
    /// Looks at the file and reads it on the calling thread: that is the main one, which answers nobody.
    pub(crate) async fn run(
        mut self,
        running: &Settings,
        catalogue: &LiveCatalogue,
        hangup: &mut Signal,
    ) -> Infallible {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_due = tokio::select! {
                Some(()) = hangup.recv() => true,
                _ = looks.tick() => self.file.as_mut().is_some_and(WatchedFile::has_changed),
            };
            if is_due {
                self.reload(running, catalogue);
            }
        }
    }

    fn reload(&mut self, running: &Settings, catalogue: &LiveCatalogue) {
        if let Some(file) = &mut self.file {
            file.is_being_read();
        }
        let Loaded { settings, warnings } = match (self.load)() {
            Ok(loaded) => loaded,
            Err(problems) => {
                for problem in problems.as_slice() {
                    tracing::warn!(place = problem.place, "{}", problem.message);
                }
                tracing::warn!("the settings cannot be loaded again; the models stay as they were");
                return;
            }
        };
        for warning in warnings {
            tracing::warn!(place = warning.place, "{}", warning.message);
        }
        let differences = running.fixed_differences(&settings);
        if !differences.is_empty() {
            tracing::warn!(
                tables = differences.join(", "),
                "settings other than models, aliases and task lists have changed; they take effect after a restart"
            );
        }
        let (new, left_out) = routable(&settings, running);
        for model in left_out {
            tracing::warn!(
                model = %model.id,
                provider = %model.provider,
                "left out: this process has no such provider; start the gateway again to add it"
            );
        }
        // Free models may make up for it, and are found while the gateway serves.
        if new.models().is_empty() && running.free_model_provider().is_none() {
            tracing::warn!("the settings have no model that this process can route to; the models stay as they were");
            return;
        }
        tracing::info!(models = new.models().len(), "the models were loaded again");
        catalogue.set_configured(new);
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The new catalogue without the models of providers that were not there when the process was started, and these models.
fn routable(new: &Settings, running: &Settings) -> (Arc<Catalogue>, Vec<Model>) {
    let is_routable = |model: &Model| running.providers.iter().any(|known| known.name == model.provider);
    let (models, left_out): (Vec<_>, Vec<_>) = new.models.iter().cloned().partition(is_routable);
    if left_out.is_empty() {
        return (Arc::clone(&new.catalogue), left_out);
    }
    let is_known = |name: &str| {
        let has_name = |model: &Model| model.id.as_str() == name || &*model.api_model == name;
        models.iter().any(has_name)
    };
    let aliases = new.catalogue.aliases().iter();
    let aliases = aliases.filter(|alias| is_known(&alias.target)).cloned().collect();
    let known_of = |names: &Vec<String>| {
        let known = names.iter().filter(|name| is_known(name));
        known.map(|name| name.as_str().into()).collect()
    };
    let lists = new.routing.task_lists.iter();
    let lists = lists.map(|(task, names)| (*task, known_of(names))).collect();
    (Arc::new(Catalogue::new(models, aliases, lists)), left_out)
}

/// What tells one state of a file from another; nothing while the file cannot be looked at.
type Stamp = Option<(SystemTime, u64)>;

/// A file that is looked at now and then.
#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    /// How it was when it was read last.
    read: Stamp,
    /// How it was at the last look.
    seen: Stamp,
}

impl WatchedFile {
    /// A file that is about to be read.
    fn new(path: &Path) -> Self {
        let stamp = stamp(path);
        Self {
            path: path.to_owned(),
            read: stamp,
            seen: stamp,
        }
    }

    /// Notes how the file is just before it is read, so that a change during the reading is seen later.
    fn is_being_read(&mut self) {
        self.read = stamp(&self.path);
    }

    /// Whether the file is another than the one that was read, and was so at the last look already: while somebody
    /// writes it, half of it may look like a whole.
    fn has_changed(&mut self) -> bool {
        let now = stamp(&self.path);
        let before = std::mem::replace(&mut self.seen, now);
        now == before && now != self.read
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests;
