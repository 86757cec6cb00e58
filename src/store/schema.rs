//! The tables as diesel sees them; keep in step with `migrations/`.

diesel::table! {
    /// Conversations, each with the place of its next message and the turn that holds it.
    conversations (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        project_id -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        metadata -> Text,
        next_seq -> BigInt,
        lease_request -> Nullable<Text>,
        lease_instance -> Nullable<Text>,
        lease_expires_at -> Nullable<BigInt>,
        route_layer -> Nullable<Text>,
    }
}

diesel::table! {
    /// Messages: the user's have the odd places of their conversation, the assistant's the even ones.
    messages (conversation_id, seq) {
        conversation_id -> Text,
        seq -> BigInt,
        role -> Text,
        content -> Text,
        status -> Text,
        client_message_id -> Nullable<Text>,
        request_id -> Nullable<Text>,
        metadata -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Summaries of conversations, the newest having the highest version.
    context_summaries (conversation_id, version) {
        conversation_id -> Text,
        version -> BigInt,
        summary -> Text,
        covers_seq -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    /// To-do lists of conversations.
    todo_lists (id) {
        id -> Text,
        conversation_id -> Text,
        todo_data -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Call records, one per attempt.
    llm_calls (attempt_id) {
        attempt_id -> Text,
        request_id -> Text,
        ordinal -> Integer,
        instance_id -> Text,
        cell -> Integer,
        conversation_id -> Nullable<Text>,
        user_id -> Nullable<Text>,
        project_id -> Nullable<Text>,
        endpoint -> Text,
        model_id -> Text,
        api_model -> Text,
        provider -> Text,
        layer -> Text,
        task -> Text,
        input_tokens -> BigInt,
        cached_input_tokens -> BigInt,
        output_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        usage_source -> Text,
        cost_nano_usd -> BigInt,
        held_nano_usd -> BigInt,
        input_price_pico_usd -> Nullable<BigInt>,
        cached_input_price_pico_usd -> Nullable<BigInt>,
        output_price_pico_usd -> Nullable<BigInt>,
        estimated -> Bool,
        streamed -> Bool,
        outcome -> Text,
        status -> Nullable<Integer>,
        success -> Bool,
        first_byte_us -> Nullable<BigInt>,
        duration_us -> BigInt,
        started_at -> BigInt,
        created_at -> BigInt,
        cache_write_5m_tokens -> BigInt,
        cache_write_1h_tokens -> BigInt,
        price -> Nullable<Text>,
        key_id -> Nullable<Text>,
        charges -> Nullable<Text>,
        purpose -> Text,
        output_cap_tokens -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Responses that a later request may go on from.
    responses (id) {
        id -> Text,
        previous_id -> Nullable<Text>,
        request_id -> Text,
        model -> Text,
        input -> Text,
        body -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    /// What may be spent in each period.
    budgets (scope) {
        scope -> Text,
        limit_nano_usd -> BigInt,
        period_kind -> Text,
        on_exhausted -> Text,
        max_layer -> Nullable<Text>,
        alert_percents -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// What was spent and is held of a budget in one period.
    budget_periods (scope, period) {
        scope -> Text,
        period -> Text,
        posted -> BigInt,
        held -> BigInt,
        recall -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    /// Claims of processes on their slices.
    budget_leases (instance_id, epoch) {
        instance_id -> Text,
        epoch -> BigInt,
        opened_at -> BigInt,
        expires_at -> BigInt,
        state -> Text,
    }
}

diesel::table! {
    /// The parts of budgets that processes hold.
    budget_slices (scope, period, instance_id, epoch) {
        scope -> Text,
        period -> Text,
        instance_id -> Text,
        epoch -> BigInt,
        granted -> BigInt,
        returned -> BigInt,
        posted -> BigInt,
        held -> BigInt,
        expired -> BigInt,
        seq -> BigInt,
        seq_amount -> BigInt,
        seq_recall -> Nullable<BigInt>,
        recall -> BigInt,
    }
}

diesel::table! {
    /// Every change of what was spent or is held of a budget.
    budget_ledger (id) {
        id -> Text,
        scope -> Text,
        period -> Text,
        kind -> Text,
        posted_delta -> BigInt,
        held_delta -> BigInt,
        instance_id -> Nullable<Text>,
        epoch -> Nullable<BigInt>,
        calls -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    /// What operators are told of.
    events (id) {
        id -> Text,
        once -> Text,
        kind -> Text,
        detail -> Text,
        created_at -> BigInt,
        delivered_at -> Nullable<BigInt>,
        attempts -> Integer,
        next_attempt_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// What was answered to requests with an idempotency key.
    idempotency (owner, idempotency_key) {
        owner -> Text,
        idempotency_key -> Text,
        body_hash -> Text,
        request_id -> Text,
        instance_id -> Text,
        status -> Nullable<Integer>,
        headers -> Nullable<Text>,
        body -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    /// The move into this database that has not ended, if there is one.
    moves (id) {
        id -> Integer,
        source -> Text,
        source_totals -> Text,
        last_table -> Nullable<Text>,
        last_key -> Nullable<Text>,
        last_number -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Random values that this database's gateways share.
    secrets (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    /// Virtual keys, known by their digests.
    api_keys (id) {
        id -> Text,
        hash -> Text,
        prefix -> Text,
        name -> Text,
        project_id -> Nullable<Text>,
        user_id -> Nullable<Text>,
        role -> Text,
        max_layer -> Nullable<Text>,
        models -> Nullable<Text>,
        rpm -> Nullable<BigInt>,
        tpm -> Nullable<BigInt>,
        max_concurrent -> Nullable<BigInt>,
        previous_hash -> Nullable<Text>,
        previous_until -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Rates of projects and users.
    rate_limits (scope) {
        scope -> Text,
        rpm -> Nullable<BigInt>,
        tpm -> Nullable<BigInt>,
        max_concurrent -> Nullable<BigInt>,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Offers to go on with a dearer layer.
    escalations (id) {
        id -> Text,
        caller -> Text,
        endpoint -> Text,
        request_id -> Text,
        conversation_id -> Nullable<Text>,
        user_seq -> Nullable<BigInt>,
        body -> Text,
        request_hash -> Text,
        from_layer -> Text,
        to_layer -> Text,
        reason -> Text,
        estimated_nano_usd -> BigInt,
        note -> Text,
        answer -> Nullable<Text>,
        state -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        decided_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// What became of requests whose model the gateway chose.
    outcomes (request_id) {
        request_id -> Text,
        key_id -> Nullable<Text>,
        user_id -> Nullable<Text>,
        project_id -> Nullable<Text>,
        conversation_id -> Nullable<Text>,
        endpoint -> Text,
        task -> Text,
        complexity -> Nullable<Text>,
        quality -> Text,
        difficulty_milli -> Nullable<BigInt>,
        start_layer -> Nullable<Text>,
        layer -> Text,
        model_id -> Text,
        strategy -> Nullable<Text>,
        cross_check -> Text,
        votes -> Nullable<Integer>,
        confidence_milli -> Nullable<Integer>,
        evidence -> Nullable<Text>,
        escalated -> Bool,
        replaced_model_id -> Nullable<Text>,
        ended -> Text,
        accepted -> Nullable<Bool>,
        rating -> Nullable<Integer>,
        tests_passed -> Nullable<BigInt>,
        tests_failed -> Nullable<BigInt>,
        comment -> Nullable<Text>,
        experiment_id -> Nullable<Text>,
        arm -> Nullable<Text>,
        cost_nano_usd -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        arm_failed -> Bool,
    }
}

diesel::table! {
    /// Comparisons of ways to choose a model.
    experiments (id) {
        id -> Text,
        name -> Text,
        status -> Text,
        task -> Nullable<Text>,
        sticky -> Text,
        arms -> Text,
        guard -> Text,
        stopped_reason -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Rules for choosing models, and notes of bugs.
    improvements (id) {
        id -> Text,
        kind -> Text,
        title -> Text,
        data -> Text,
        enabled -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Calibrations that were applied on top of the file that a gateway starts with.
    calibrations (id) {
        id -> Text,
        data -> Text,
        summary -> Text,
        superseded_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    /// What administrators say of how well models do.
    model_edits (model_id) {
        model_id -> Text,
        since -> Nullable<BigInt>,
        trials -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::joinable!(messages -> conversations (conversation_id));
diesel::joinable!(context_summaries -> conversations (conversation_id));
diesel::joinable!(todo_lists -> conversations (conversation_id));
diesel::allow_tables_to_appear_in_same_query!(conversations, messages, context_summaries, todo_lists);
diesel::allow_tables_to_appear_in_same_query!(budgets, budget_periods, budget_leases, budget_slices);
