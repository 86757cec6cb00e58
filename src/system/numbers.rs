//! The settings as the actors take them.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_actors::budget::BudgetSettings;
use gateway_actors::dispatch::{AmbiguousFailover, DispatchSettings, OrchestrationSettings};
use gateway_actors::protocol::{BoundRules, BudgetBook, BudgetChanges, BudgetEntry, ProviderName};
use gateway_actors::provider::BreakerSettings;
use gateway_actors::router::RouterSettings;

use crate::config::{AmbiguousRetry, ProviderSettings, Settings};

/// The budgets of the start.
pub(super) fn first_book(budgets: &BudgetChanges) -> BudgetBook {
    let entries = budgets.budgets.iter().filter_map(|budget| {
        let rule = budget.rule.clone()?;
        Some(Arc::new(BudgetEntry::new(budget.scope.clone(), rule)))
    });
    BudgetBook::new(entries)
}

pub(super) fn budget(settings: &Settings) -> BudgetSettings {
    BudgetSettings {
        lease: settings.budget.lease,
    }
}

pub(super) fn bounds(settings: &Settings) -> BoundRules {
    let fields = settings.budget.pass_fields.iter();
    BoundRules {
        pass_fields: fields.map(|field| field.as_str().into()).collect(),
    }
}

pub(super) fn breaker(settings: &Settings) -> BreakerSettings {
    let written = &settings.breaker;
    BreakerSettings {
        consecutive_failures: written.consecutive_failures,
        failure_ratio: f64::from(written.failure_percent) / 100.0,
        ratio_min_calls: written.min_calls,
        window: written.window,
        open_base: written.open_base,
        open_cap: written.open_cap,
        jitter: f64::from(written.jitter_percent) / 100.0,
        probes_to_close: written.successes_to_close,
        cool_down_cap: written.cool_down_cap,
        idle_probe: written.idle_probe,
        ..BreakerSettings::default()
    }
}

/// The variables that hold the keys of the providers that want one.
pub(super) fn key_variables(settings: &Settings) -> HashMap<ProviderName, Arc<str>> {
    let variable = |provider: &ProviderSettings| {
        let variable = provider.api_key_env.as_deref()?;
        Some((provider.name.clone(), variable.into()))
    };
    settings.providers.iter().filter_map(variable).collect()
}

pub(super) fn routing(settings: &Settings) -> RouterSettings {
    let written = &settings.routing;
    RouterSettings {
        default_layer: written.default_layer,
        max_layer: written.max_escalation_layer,
        auto_escalate: written.auto_escalate,
        cross_check: written.cross_check,
        panel: written.panel,
        strategy: written.strategy,
        skip_below_percent: written.skip_below_percent,
        adaptive: written.adaptive,
        adaptive_floor_percent: written.adaptive_floor_percent,
        adaptive_prior: written.adaptive_prior,
        ..RouterSettings::default()
    }
}

pub(super) fn orchestration(settings: &Settings) -> OrchestrationSettings {
    let written = &settings.routing;
    OrchestrationSettings {
        second_opinion: written.second_opinion,
        rating_model: written.rating_model.as_deref().map(Into::into),
        rating_timeout: written.rating_timeout,
        review_timeout: written.review_timeout,
        straggler: written.straggler,
        handoff_tokens: written.handoff_tokens,
    }
}

pub(super) fn dispatch(settings: &Settings) -> DispatchSettings {
    let written = &settings.failover;
    DispatchSettings {
        extra_attempts: written.max_extra_attempts,
        retry_ratio: f64::from(written.retry_budget_percent) / 100.0,
        retry_min: written.retry_budget_min,
        retry_window: written.retry_budget_window,
        ambiguous: match written.ambiguous {
            AmbiguousRetry::Any => AmbiguousFailover::Any,
            AmbiguousRetry::Free => AmbiguousFailover::FreeOnly,
        },
        write_stall: settings.http.write_timeout,
        ..DispatchSettings::default()
    }
}
