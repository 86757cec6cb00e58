//! Conversations of clients that give no id: a tool loop stays on its model, and a conversation only moves up.

mod bodies;

use self::bodies::{Agent, Talk};
use crate::support::{Behaviour, Gateway, Model, Provider, Setup};

/// Two models that cost nothing, the first of the lowest layer and the second of this one, tried in this order.
fn setup(alpha: &Provider, beta: &Provider, layer: &'static str) -> Setup {
    let order = "alpha-small,beta-small";
    let lists = ["CHAT_MODELS", "CODE_MODELS", "ANALYZE_MODELS"];
    let setup = Setup::new()
        .provider(alpha)
        .provider(beta)
        .model(&Model::free("alpha-small", alpha))
        .model(&Model::free("beta-small", beta).layer(layer));
    lists.iter().fold(setup, |setup, list| setup.env(list, order))
}

/// Who answered the next request of a conversation.
#[track_caller]
fn answered_by(gateway: &Gateway, agent: Agent, talk: &Talk) -> String {
    let reply = gateway.client().post(agent.path(), &talk.body());
    assert_eq!(reply.status, 200, "{agent:?}: {}", reply.text());
    let text = reply.text();
    let names = ["alpha", "beta"]
        .iter()
        .filter(|name| text.contains(&format!("{name}-1")));
    let names: Vec<&&str> = names.collect();
    assert_eq!(names.len(), 1, "{agent:?}: {text}");
    names[0].to_string()
}

#[test]
fn the_calls_of_a_tool_loop_stay_on_their_model() {
    for stream in [false, true] {
        for agent in Agent::ALL {
            let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
            let gateway = Gateway::start(setup(&alpha, &beta, "L0"));
            let mut talk = Talk::new(agent, "auto", "the parser").asks("Tell me what the notes say.");
            talk.stream = stream;

            // The first is away for one request, so that the second begins the loop.
            alpha.set(Behaviour::Status(503, &[], "{}"));
            assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
            alpha.set(Behaviour::Answer);
            for id in ["call_1", "call_2", "call_3"] {
                talk = talk.calls(id, "cat notes.txt").gets(id, "the word is kumquat", false);
                assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?} after {id}");
            }

            // Another conversation is planned by itself, though the user says the same.
            let other = Talk::new(agent, "auto", "the printer").asks("Tell me what the notes say.");
            let other = other
                .calls("call_1", "cat notes.txt")
                .gets("call_1", "the word is kumquat", false);
            assert_eq!(answered_by(&gateway, agent, &other), "alpha", "{agent:?}");
            gateway.wait_until_settled();
            gateway.finish();
        }
    }
}

#[test]
fn a_tool_loop_goes_on_elsewhere_when_its_model_is_away() {
    for agent in Agent::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(setup(&alpha, &beta, "L0"));
        let talk = Talk::new(agent, "auto", "the parser").asks("Tell me what the notes say.");
        assert_eq!(answered_by(&gateway, agent, &talk), "alpha", "{agent:?}");
        let talk = talk
            .calls("call_1", "cat notes.txt")
            .gets("call_1", "the word is kumquat", false);
        alpha.set(Behaviour::Status(503, &[], "{}"));
        assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
        // It stays where it went.
        alpha.set(Behaviour::Answer);
        let talk = talk
            .calls("call_2", "cat notes.txt")
            .gets("call_2", "the word is kumquat", false);
        assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
        gateway.wait_until_settled();
        gateway.finish();
    }
}

#[test]
fn a_conversation_only_moves_up() {
    for agent in Agent::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(setup(&alpha, &beta, "L1"));
        let mut talk = Talk::new(agent, "L1", "the parser").asks("Hello.");
        assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
        "auto".clone_into(&mut talk.model);
        let talk = talk.says("Hello.").asks("Thanks.");
        assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
        let talk = talk.says("You are welcome.").asks("Bye.");
        assert_eq!(answered_by(&gateway, agent, &talk), "beta", "{agent:?}");
        // A conversation that begins is cheap again.
        let other = Talk::new(agent, "auto", "the printer").asks("Hello.");
        assert_eq!(answered_by(&gateway, agent, &other), "alpha", "{agent:?}");
        gateway.wait_until_settled();
        gateway.finish();
    }
}

#[test]
fn strangers_whose_conversations_begin_alike_share_no_floor() {
    for agent in Agent::ALL {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(setup(&alpha, &beta, "L1"));
        let begun = || Talk::new(agent, "auto", "the parser").asks("Hello.");
        assert_eq!(answered_by(&gateway, agent, &begun()), "alpha", "{agent:?}");
        let mut dear = begun().says("Hello.").asks("Thanks.");
        "L1".clone_into(&mut dear.model);
        assert_eq!(answered_by(&gateway, agent, &dear), "beta", "{agent:?}");
        "auto".clone_into(&mut dear.model);
        let dear = dear.says("You are welcome.").asks("Bye.");
        assert_eq!(answered_by(&gateway, agent, &dear), "beta", "{agent:?}");
        // Somebody else began with the same word, and was told another.
        let other = begun().says("Good day.").asks("Thanks.");
        assert_eq!(answered_by(&gateway, agent, &other), "alpha", "{agent:?}");
        let other = other.says("You are welcome.").asks("Bye.");
        assert_eq!(answered_by(&gateway, agent, &other), "alpha", "{agent:?}");
        gateway.wait_until_settled();
        gateway.finish();
    }
}

/// Only Messages can say that a tool has failed: in OpenAI's dialects a failure is words, and words decide nothing.
#[test]
fn two_results_in_a_row_that_are_errors_raise_the_start_where_the_dialect_can_say_so() {
    for stream in [false, true] {
        for agent in Agent::ALL {
            let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
            let gateway = Gateway::start(setup(&alpha, &beta, "L1"));
            let fails = |talk: Talk, id: &str| talk.calls(id, "cat notes.txt").gets(id, "error: no such file", true);
            let mut talk = Talk::new(agent, "auto", "the parser").asks("Tell me what the notes say.");
            talk.stream = stream;
            let once = fails(talk, "call_1");
            assert_eq!(answered_by(&gateway, agent, &once), "alpha", "{agent:?}");
            // One that went well in between ends the row.
            let mended = once.clone().calls("call_2", "ls").gets("call_2", "todo.txt", false);
            let again = fails(mended, "call_3");
            assert_eq!(answered_by(&gateway, agent, &again), "alpha", "{agent:?}");

            let raised = if agent == Agent::Messages { "beta" } else { "alpha" };
            let twice = fails(again, "call_4");
            assert_eq!(answered_by(&gateway, agent, &twice), raised, "{agent:?}");
            gateway.wait_until_settled();
            gateway.finish();
        }
    }
}
