//! What the project itself promises: its manifest, its public interface, its examples and its corpora.

mod corpora;
mod manifest;
mod metrics;
mod public_api;
