//! What the crates of actors and of routing pull in, with all that their dependencies pull in.

use std::path::Path;
use std::process::Command;

/// The crates that are the edges' and the adapters' business.
const FORBIDDEN: &[&str] = &[
    "actix-web",
    "actix-http",
    "awc",
    "diesel",
    "diesel-async",
    "redis",
    "bb8-redis",
    "rmcp",
];

/// What routing, which only decides, does not need either.
const FORBIDDEN_TO_ROUTING: &[&str] = &[
    "gateway-actors",
    "ai-mcp-gateway",
    "actix",
    "actix-rt",
    "tokio",
    "futures-core",
    "tracing",
];

/// The forbidden crates among those that a crate of this workspace needs to run.
fn forbidden_in(workspace: &Path, package: &str, forbidden: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace)
        .args(["tree", "--package", package, "--edges", "normal", "--all-features"])
        .args(["--prefix", "none", "--format", "{p}", "--offline", "--quiet"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.starts_with(&format!("{package} ")), "{tree}");
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| forbidden.contains(name))
        .map(str::to_owned)
        .collect()
}

/// Writes a crate that depends on crates in folders beside its own.
fn write_crate(workspace: &Path, name: &str, dependencies: &[&str]) {
    let folder = workspace.join(name);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    let mut manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[dependencies]\n");
    for dependency in dependencies {
        manifest.push_str(&format!("{dependency} = {{ path = \"../{dependency}\" }}\n"));
    }
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
}

#[test]
fn the_actors_pull_in_no_edge_and_no_adapter() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(forbidden_in(workspace, "gateway-actors", FORBIDDEN), [""; 0]);
}

#[test]
fn routing_pulls_in_none_of_ours_and_nothing_that_waits() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let forbidden = [FORBIDDEN, FORBIDDEN_TO_ROUTING].concat();
    assert_eq!(forbidden_in(workspace, "gateway-routing", &forbidden), [""; 0]);
}

#[test]
fn a_forbidden_crate_is_found_behind_another_dependency() {
    let workspace = tempfile::tempdir().unwrap();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"gateway-actors\"]\n";
    std::fs::write(workspace.path().join("Cargo.toml"), manifest).unwrap();
    for name in FORBIDDEN {
        write_crate(workspace.path(), name, &[]);
        write_crate(workspace.path(), "innocent", &[name]);
        write_crate(workspace.path(), "gateway-actors", &["innocent"]);
        assert_eq!(forbidden_in(workspace.path(), "gateway-actors", FORBIDDEN), [*name]);
    }
}
