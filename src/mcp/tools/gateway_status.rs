//! `gateway_status`: which models and providers work, and what this process has done.

use rmcp::model::{CallToolResult, ContentBlock, Tool, ToolAnnotations, object};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::given::{Given, read_arguments};
use crate::mcp::error::ToolFailure;
use crate::mcp::shared::Shared;
use crate::status::{Condition, Llm, Memory, Requests, UnderWay, Uptime, held_by_all_cells, of_all_cells};

pub(super) const NAME: &str = "gateway_status";

const DESCRIPTION: &str = "Tells whether the gateway works: its version and uptime, the database, every provider and \
                           layer with its health, and how many calls this process has made, with their tokens and cost. \
                           Calls no model and changes nothing.";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    status: &'static str,
    version: &'static str,
    uptime: Uptime,
    database: bool,
    redis: Option<bool>,
    #[serde(flatten)]
    condition: Condition<'a>,
    requests: Requests,
    llm: Llm,
    memory: Memory,
    gateway: UnderWay,
}

pub(super) fn description() -> Tool {
    let input = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let annotations = ToolAnnotations::with_title("Gateway status")
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(NAME, DESCRIPTION, object(input))
        .with_title("Gateway status")
        .with_raw_output_schema(object(output_schema()).into())
        .with_annotations(annotations)
}

fn output_schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "status": {"enum": ["ok", "degraded"],
                "description": "degraded: the database, a provider, a layer or a part of the gateway does not work"},
            "version": {"type": "string"},
            "uptime": {"type": "object", "description": "of this process",
                "properties": {"seconds": {"type": "integer"}, "formatted": {"type": "string"}}},
            "database": {"type": "boolean", "description": "whether it and the journal can be written"},
            "redis": {"type": ["boolean", "null"],
                "description": "whether rates are limited together with other processes; null: there is no Redis"},
            "providers": {"type": "object", "description": "by name: kind, state (closed: calls pass; open; half-open; \
                no-key), trouble if there is any, and models with their state and latency",
                "additionalProperties": {"type": "object"}},
            "layers": {"type": "object", "description": "L0 (free) to L3 (premium): how many models there are, and how \
                many could be called now",
                "additionalProperties": {"type": "object",
                    "properties": {"models": {"type": "integer"}, "available": {"type": "integer"}}}},
            "actors": {"type": "array", "description": "parts that panicked and were rebuilt",
                "items": {"type": "object"}},
            "requests": {"type": "object", "description": "tool calls of this process that are over, without this tool's; \
                the average duration is in milliseconds",
                "properties": {"total": {"type": "integer"}, "averageDuration": {"type": "number"}}},
            "llm": {"type": "object", "description": "calls of models that this process made, failed ones too",
                "properties": {"totalCalls": {"type": "integer"}, "failedCalls": {"type": "integer"},
                    "tokens": {"type": "object"}, "cost": {"type": "object"}}},
            "memory": {"type": "object", "description": "resident memory now and at its peak",
                "properties": {"heapUsed": {"type": "integer"}, "heapTotal": {"type": "integer"},
                    "unit": {"type": "string"}}},
            "gateway": {"type": "object", "description": "what is under way",
                "properties": {"inFlight": {"type": "integer"}, "openHolds": {"type": "integer"},
                    "heldNanoUsd": {"type": "integer"}, "leases": {"type": "integer"}, "openTurns": {"type": "integer"},
                    "unwrittenRecords": {"type": "integer"}}}
        },
        "required": ["status", "version", "uptime", "database", "redis", "providers", "layers", "actors", "requests",
            "llm", "memory", "gateway"]
    })
}

pub(super) async fn call(shared: &Shared, given: Given<'_>) -> Result<CallToolResult, ToolFailure> {
    let Arguments {} = read_arguments(given.arguments)?;
    let status = &shared.status;
    let parts = &status.parts;
    let database = status.store.is_well().await;
    let (catalogue, snapshot) = (parts.catalogue.load(), parts.health.load());
    let condition = Condition::new(&parts.providers, &catalogue, &snapshot, &parts.system_health.borrow());
    let well = database && condition.is_well();
    let totals = of_all_cells(&parts.totals);
    let output = Output {
        status: if well { "ok" } else { "degraded" },
        version: env!("CARGO_PKG_VERSION"),
        uptime: Uptime::new(status.started.elapsed()),
        database,
        redis: shared.limits.shared_is_there(),
        condition,
        requests: status.calls.load(),
        llm: Llm::new(totals).map_err(not_written)?,
        memory: Memory::now(),
        gateway: UnderWay::new(
            shared.slots.inside(),
            held_by_all_cells(&parts.budgets),
            &parts.gauges,
            totals,
        ),
    };
    let text = serde_json::to_string(&output).map_err(not_written)?;
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(serde_json::to_value(&output).map_err(not_written)?);
    Ok(result)
}

fn not_written(error: serde_json::Error) -> ToolFailure {
    tracing::error!(%error, "the status could not be written as JSON");
    ToolFailure::internal()
}
