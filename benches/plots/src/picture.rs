//! A picture of curves on logarithmic axes, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::curve::{Curve, FITTED_FROM, Measure, size, time};

const PIXELS: (u32, u32) = (720, 440);

/// Blue and vermilion, which everybody can tell apart.
const COLOURS: [RGBColor; 2] = [RGBColor(0, 0x72, 0xb2), RGBColor(0xd5, 0x5e, 0)];

pub fn draw(file: &Path, measure: &Measure, curves: &[(&str, &Curve); 2]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(file, PIXELS).into_drawing_area();
    area.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|(_, curve)| curve.points().iter().copied());
    let mut chart = ChartBuilder::on(&area)
        .caption(measure.title, ("sans-serif", 18))
        .margin(14)
        .margin_right(40)
        .x_label_area_size(48)
        .y_label_area_size(70)
        .build_cartesian_2d(
            decades(points().map(|(size, _)| size)).log_scale(),
            decades(points().map(|(_, time)| time)).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(measure.unit)
        .x_label_formatter(&|number| size(*number))
        .y_label_formatter(&|nanoseconds| whole(&time(*nanoseconds)))
        .label_style(("sans-serif", 13))
        .draw()?;
    for ((name, curve), colour) in curves.iter().zip(COLOURS) {
        let points = || curve.points().iter().copied();
        let label = format!("{name}: n^{:.2} from {} up", curve.exponent(), size(FITTED_FROM));
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, colour.filled()));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .label_font(("sans-serif", 13))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The whole decades around these values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let greatest = values.fold(0.0, f64::max);
    10_f64.powf(least.log10().floor())..10_f64.powf(greatest.log10().ceil())
}

/// `10 µs`, without decimals.
fn whole(time: &str) -> String {
    time.replace(".00", "").replace(".0", "")
}
