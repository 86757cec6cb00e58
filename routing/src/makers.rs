//! Who made a model, by its name. Models of one maker err alike, so that their agreement says less.

/// Words that name a family of models or its maker, wherever they stand in a name. Providers' own catalogues call the
/// families so.
const FAMILIES: [(&str, &str); 51] = [
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("openai", "openai"),
    ("claude", "anthropic"),
    ("anthropic", "anthropic"),
    ("gemini", "google"),
    ("gemma", "google"),
    ("codegemma", "google"),
    ("palm", "google"),
    ("llama", "meta"),
    ("codellama", "meta"),
    ("mistral", "mistral"),
    ("mixtral", "mistral"),
    ("ministral", "mistral"),
    ("codestral", "mistral"),
    ("devstral", "mistral"),
    ("magistral", "mistral"),
    ("pixtral", "mistral"),
    ("mistralai", "mistral"),
    ("qwen", "qwen"),
    ("qwq", "qwen"),
    ("qvq", "qwen"),
    ("deepseek", "deepseek"),
    ("phi", "microsoft"),
    ("wizardlm", "microsoft"),
    ("grok", "xai"),
    ("jamba", "ai21"),
    ("ai21", "ai21"),
    ("nemotron", "nvidia"),
    ("granite", "ibm"),
    ("dbrx", "databricks"),
    ("kimi", "moonshot"),
    ("moonshot", "moonshot"),
    ("glm", "zhipu"),
    ("chatglm", "zhipu"),
    ("minimax", "minimax"),
    ("falcon", "tii"),
    ("ernie", "baidu"),
    ("doubao", "bytedance"),
    ("hunyuan", "tencent"),
    ("internlm", "internlm"),
    ("olmo", "allenai"),
    ("exaone", "lg"),
    ("lfm", "liquid"),
    ("hermes", "nous"),
    ("cohere", "cohere"),
    ("amazon", "amazon"),
    ("stablelm", "stability"),
];

/// Words that do so only where a name begins with them: they mean other things, too.
const FIRST_WORDS: [(&str, &str); 7] = [
    ("command", "cohere"),
    ("aya", "cohere"),
    ("nova", "amazon"),
    ("titan", "amazon"),
    ("yi", "01-ai"),
    ("sonar", "perplexity"),
    ("reka", "reka"),
];

/// Who made the model of this name at its provider: `openai` for `gpt-4o-mini`, `meta` for
/// `meta-llama/llama-3.1-8b-instruct:free`. The first word counts that names a family or a maker, first in what stands
/// behind the last `/`, so that a model that was trained on from another family's has its maker. Of a name without such
/// a word it is the part before the last `/`, else the first word, as it is written.
#[must_use]
pub fn maker(name: &str) -> &str {
    let (path, last) = match name.rsplit_once('/') {
        Some((path, last)) => (path, last),
        None => ("", name),
    };
    if let Some(maker) = family(last).or_else(|| family(path)) {
        return maker;
    }
    if !path.is_empty() {
        return path;
    }
    words(name).next().unwrap_or(name)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn family(name: &str) -> Option<&'static str> {
    let first = words(name).next().and_then(|word| of(&FIRST_WORDS, word));
    first.or_else(|| words(name).find_map(|word| of(&FAMILIES, word)))
}

/// The entry of a word, or of the letters that it begins with: `llama3`, `qwen2`.
fn of(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    let digits = word.find(|letter: char| letter.is_ascii_digit());
    let letters = digits.and_then(|at| word.get(..at)).unwrap_or(word);
    let found = |wanted: &str| table.iter().find(|(word, _)| word.eq_ignore_ascii_case(wanted));
    found(word).or_else(|| found(letters)).map(|(_, maker)| *maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maker_is_found_under_the_names_that_providers_give_its_models() {
        for (name, expected) in [
            ("gpt-4o-mini-2024-07-18", "openai"),
            ("openai/GPT-4.1", "openai"),
            ("o1-mini", "openai"),
            ("claude-3-5-haiku-20241022", "anthropic"),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic"),
            ("models/gemini-2.0-flash", "google"),
            ("gemma-2-9b-it", "google"),
            ("gemma2:9b", "google"),
            ("meta-llama/llama-3.1-8b-instruct:free", "meta"),
            ("accounts/fireworks/models/llama-v3p1-8b-instruct", "meta"),
            ("Meta-Llama-3.1-8B-Instruct", "meta"),
            ("@cf/meta/llama3-8b", "meta"),
            ("qwen2.5-coder:7b", "qwen"),
            ("command-r-plus", "cohere"),
            ("amazon.nova-pro-v1:0", "amazon"),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral"),
            ("deepseek/deepseek-r1-distill-llama-70b", "deepseek"),
        ] {
            assert_eq!(maker(name), expected, "{name}");
        }
    }

    #[test]
    fn a_model_that_was_trained_on_from_another_has_the_first_ones_maker() {
        assert_eq!(maker("nvidia/llama-3.1-nemotron-70b-instruct"), "meta");
    }

    #[test]
    fn a_name_without_a_known_word_gives_its_beginning() {
        assert_eq!(maker("sao10k/l3-euryale-70b"), "sao10k");
        assert_eq!(maker("my-model"), "my");
        assert_eq!(maker("solo"), "solo");
        assert_eq!(maker("super-nova-7b"), "super");
        assert_eq!(maker(""), "");
        assert_eq!(maker("-"), "-");
    }
}
