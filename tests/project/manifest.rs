//! What the manifest promises: the Rust version, and that nothing needs the standard library.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that the library is built from, by name, with what is turned on in each.
fn dependencies_of_the_library() -> BTreeSet<(String, String)> {
    let tree = cargo(&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"]);
    let lines = tree.lines().filter_map(|line| line.split_once('|'));
    lines
        .map(|(package, features)| {
            let name = package.split(' ').next().unwrap();
            (name.to_owned(), features.trim_end_matches(" (*)").to_owned())
        })
        .collect()
}

#[test]
fn the_rust_version_is_enough_for_every_dependency() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).unwrap();
    let minor = |version: &Value| -> Option<u32> { version.as_str()?.split('.').nth(1)?.parse().ok() };
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().find(|package| package["name"] == "idgroup").unwrap();
    let promised = minor(&ours["rust_version"]).expect("a rust-version");

    let library: BTreeSet<String> = dependencies_of_the_library().into_iter().map(|(name, _)| name).collect();
    assert!(library.contains("sha2") && library.contains("serde"), "{library:?}");
    for package in packages.iter().filter(|package| library.contains(package["name"].as_str().unwrap())) {
        if let Some(asked) = minor(&package["rust_version"]) {
            assert!(asked <= promised, "{} asks for Rust 1.{asked}", package["name"]);
        }
    }
}

#[test]
fn no_dependency_of_the_library_is_built_with_the_standard_library() {
    for (name, features) in dependencies_of_the_library() {
        assert!(!features.split(',').any(|feature| feature == "std"), "{name} is built with {features}");
    }
}

#[test]
fn the_library_has_few_dependencies() {
    let direct = cargo(&["tree", "--edges", "normal", "--prefix", "none", "--depth", "1", "--format", "{p}"]);
    let names: Vec<&str> = direct.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["serde", "sha2", "siphasher", "smallvec", "smol_str", "thiserror", "time"]);
}
