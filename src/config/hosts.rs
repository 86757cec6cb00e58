//! Whose service is at an address: for providers whose kind does not tell.

use gateway_actors::protocol::Vendor;
use url::{Host, Url};

/// The hosts at which vendors serve OpenAI's dialect; every name below one of them is the vendor's as well.
const HOSTS: [(&str, Vendor); 13] = [
    ("api.openai.com", Vendor::Openai),
    ("openai.azure.com", Vendor::Openai),
    ("openrouter.ai", Vendor::Openrouter),
    ("generativelanguage.googleapis.com", Vendor::Gemini),
    ("api.mistral.ai", Vendor::Mistral),
    ("api.groq.com", Vendor::Groq),
    ("api.deepseek.com", Vendor::Deepseek),
    ("api.x.ai", Vendor::Xai),
    ("api.cohere.ai", Vendor::Cohere),
    ("api.cohere.com", Vendor::Cohere),
    ("api.together.ai", Vendor::Together),
    ("api.together.xyz", Vendor::Together),
    ("api.cerebras.ai", Vendor::Cerebras),
];

/// The vendor whose service is at this address; nothing if it is none that is known.
pub(super) fn vendor_at(address: &Url) -> Option<Vendor> {
    let Some(Host::Domain(host)) = address.host() else {
        return None;
    };
    let is_below = |name: &str| {
        host.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    HOSTS.iter().find(|(name, _)| is_below(name)).map(|(_, vendor)| *vendor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_known_by_its_host_alone() {
        for (address, vendor) in [
            ("https://api.mistral.ai/v1", Some(Vendor::Mistral)),
            ("https://API.X.AI:443/v1", Some(Vendor::Xai)),
            ("https://eu-west-1.api.x.ai/v1", Some(Vendor::Xai)),
            ("https://me.openai.azure.com/openai/v1", Some(Vendor::Openai)),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai",
                Some(Vendor::Gemini),
            ),
            ("https://not-api.x.ai/v1", None),
            ("https://api.x.ai.example.com/v1", None),
            ("https://example.com/api.x.ai", None),
            ("http://127.0.0.1:8000/v1", None),
            ("http://[::1]/v1", None),
        ] {
            assert_eq!(vendor_at(&address.parse().unwrap()), vendor, "{address}");
        }
    }
}
