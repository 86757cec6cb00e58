//! By what a conversation without an id is known again, and by what it is told from others.

use super::*;

#[test]
fn conversations_that_begin_alike_are_told_apart_by_the_first_answer() {
    for agent in Agent::ALL {
        let marks = |first: Talk| {
            let young = asked(agent, &first.asks("Thanks.")).loop_key.unwrap();
            (
                young.conversation.is_young,
                young.conversation.beginning,
                young.conversation.answered.unwrap(),
            )
        };
        let begun = || talk(agent).asks("hi");
        let said = marks(begun().says("Hello!"));
        assert_eq!(said, marks(begun().says("Hello!")));
        for other in [
            begun().says("Good morning."),
            begun().calls("c1", "ls").gets("c1", "a", false),
        ] {
            let other = marks(other);
            assert_eq!((other.0, other.1), (said.0, said.1), "{agent:?}");
            assert_ne!(other.2, said.2, "{agent:?}");
        }
        // Calls of the old kind have no ids.
        let calls = |id: &str, command: &str| marks(begun().calls(id, command).gets(id, "a", false));
        assert_ne!(calls("c1", "ls"), calls("c2", "ls -l"), "{agent:?}");
        assert_eq!(
            calls("c1", "ls") == calls("c2", "ls"),
            agent == Agent::Functions,
            "{agent:?}"
        );
        let asked_only = asked(agent, &begun()).loop_key.unwrap();
        assert_eq!(asked_only.conversation.answered, None, "{agent:?}");
    }
}

#[test]
fn what_a_model_says_before_the_user_is_a_part_of_the_beginning() {
    let greeted = json!({"messages": [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "hi"}]});
    let key = chat(greeted).unwrap().loop_key.unwrap();
    assert_eq!(key.conversation.answered, None);
}

#[test]
fn conversations_of_different_users_are_told_apart_where_the_client_says_whose_they_are() {
    let user = |content: &str| json!([{"role": "user", "content": content}]);
    let chat_of = |name: &str, who: &str| chat(json!({"messages": user("hi"), name: who})).unwrap().loop_key;
    let input_of = |name: &str, who: &str| responses(json!({"input": "hi", name: who})).unwrap().loop_key;
    for name in ["user", "safety_identifier", "prompt_cache_key"] {
        for of in [&chat_of as &dyn Fn(&str, &str) -> Option<LoopKey>, &input_of] {
            assert_eq!(of(name, "a"), of(name, "a"));
            assert_ne!(of(name, "a"), of(name, "b"), "{name}");
        }
    }
    let of = |who: &str| {
        messages(json!({"messages": user("hi"), "metadata": {"user_id": who}}))
            .unwrap()
            .loop_key
    };
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
}

#[test]
fn conversations_are_told_apart_by_their_instructions_and_their_first_words() {
    for agent in Agent::ALL {
        let of = |project: &str, text: &str| {
            asked(agent, &Talk::new(agent, "auto", project).asks(text))
                .loop_key
                .unwrap()
        };
        let one = of("the parser", FIX);
        assert_eq!(one, of("the parser", FIX));
        for other in [of("the printer", FIX), of("the parser", "Fix the printer.")] {
            assert_ne!(one.conversation, other.conversation, "{agent:?}");
            assert_ne!(one.turn, other.turn, "{agent:?}");
        }
    }
}

#[test]
fn the_same_words_in_another_turn_are_another_turn() {
    for agent in Agent::ALL {
        let talk = talk(agent).asks("Go on.");
        let first = asked(agent, &talk).loop_key.unwrap();
        let talk = talk.says("Done.").asks("Go on.");
        let second = asked(agent, &talk);
        let third = asked(agent, &talk.says("Done.").asks("Go on."));
        assert_eq!((second.user_turns, third.user_turns), (2, 3));
        let (second, third) = (second.loop_key.unwrap(), third.loop_key.unwrap());
        assert!(first.turn != second.turn && second.turn != third.turn, "{agent:?}");
        assert_eq!(first.conversation.beginning, third.conversation.beginning);
        assert_eq!(second.conversation.answered, third.conversation.answered);
        assert!(second.conversation.is_young && !third.conversation.is_young);
    }
}
