//! What was measured: a time for each size.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// Something that grows, and the world in which it does.
pub struct Measure {
    /// As in the names of its files.
    pub name: &'static str,
    pub title: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// What is measured, in words.
    pub world: &'static str,
}

/// Times by size, ascending.
pub struct Curve(Vec<(f64, f64)>);

/// How long each sample took, in nanoseconds, for how many iterations.
#[derive(Deserialize)]
struct Samples {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// Below, it is fixed costs that are seen.
pub const FITTED_FROM: f64 = 100.0;

impl Curve {
    /// Reads what criterion has left for one function of a group: of each size the fastest sample, in
    /// nanoseconds, because other work on the machine only ever adds to the others.
    pub fn read(group: &Path, function: &str) -> Result<Self, Box<dyn Error>> {
        let folder = group.join(function);
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("can't read {}: {error}", folder.display()))?;
        let mut points = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Beside the sizes there is a folder with criterion's own report.
            let Ok(size) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let samples = fs::read_to_string(entry.path().join("new/sample.json"))?;
            let Samples { iters, times } = serde_json::from_str(&samples)?;
            let fastest = times.iter().zip(iters).map(|(time, iterations)| time / iterations);
            points.push((f64::from(size), fastest.fold(f64::INFINITY, f64::min)));
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Self(points))
    }

    /// Sizes and times.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// The slope of the line that fits the curve best, by least squares of the logarithms, from
    /// [`FITTED_FROM`] up: 1 where twice the size takes twice the time.
    pub fn exponent(&self) -> f64 {
        let logarithms: Vec<(f64, f64)> = self
            .points()
            .iter()
            .filter(|(size, _)| *size >= FITTED_FROM)
            .map(|(size, time)| (size.ln(), time.ln()))
            .collect();
        let count: f64 = logarithms.iter().map(|_| 1.0).sum();
        let mean_x = logarithms.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = logarithms.iter().map(|(_, y)| y).sum::<f64>() / count;
        let covariance: f64 = logarithms.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let variance: f64 = logarithms.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        covariance / variance
    }
}

/// A time with three digits, such as `1.23 µs`.
pub fn time(nanoseconds: f64) -> String {
    let (number, unit) = match nanoseconds {
        small if small < 1e3 => (small, "ns"),
        small if small < 1e6 => (small / 1e3, "µs"),
        small if small < 1e9 => (small / 1e6, "ms"),
        large => (large / 1e9, "s"),
    };
    let decimals = match number {
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$} {unit}")
}

/// A size with commas, such as `10,000`.
pub fn size(size: f64) -> String {
    let digits = format!("{size:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
