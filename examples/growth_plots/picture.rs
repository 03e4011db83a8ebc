//! A picture of curves on logarithmic axes, as SVG.

use std::fmt::Write;

use crate::curve::{Curve, FITTED_FROM, Measure, size, time};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 60.0;

/// Blue and vermilion, which everybody can tell apart.
const COLOURS: [&str; 2] = ["#0072b2", "#d55e00"];

pub fn draw(measure: &Measure, curves: &[(&str, &Curve); 2]) -> String {
    let points = || curves.iter().flat_map(|(_, curve)| curve.points());
    let across = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let up = Axis::over(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n\
         <title>{}: time by number of {}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"17\">{}</text>\n",
        measure.title, measure.unit, measure.title
    );
    for decade in across.decades() {
        let x = across.place(decade);
        line(&mut svg, [x, TOP, x, HEIGHT - BOTTOM], "#ddd");
        text(&mut svg, [x, HEIGHT - BOTTOM + 20.0], "middle", &size(decade));
    }
    for decade in up.decades() {
        let y = up.place(decade);
        line(&mut svg, [LEFT, y, WIDTH - RIGHT, y], "#ddd");
        text(&mut svg, [LEFT - 8.0, y + 4.0], "end", &decade_of_time(decade));
    }
    text(&mut svg, [(LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 14.0], "middle", measure.unit);
    for ((position, (name, curve)), colour) in (0..).zip(curves).zip(COLOURS) {
        draw_curve(&mut svg, curve, &across, &up, colour);
        legend(&mut svg, f64::from(position), name, curve, colour);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_curve(svg: &mut String, curve: &Curve, across: &Axis, up: &Axis, colour: &str) {
    let places: Vec<(f64, f64)> =
        curve.points().iter().map(|(size, time)| (across.place(*size), up.place(*time))).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join(" ")
    )
    .unwrap();
    for (x, y) in places {
        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>").unwrap();
    }
}

/// In the upper left corner, where no curve is.
fn legend(svg: &mut String, position: f64, name: &str, curve: &Curve, colour: &str) {
    let (x, y) = (LEFT + 14.0, TOP + 20.0 + 22.0 * position);
    writeln!(svg, "<rect x=\"{x}\" y=\"{}\" width=\"300\" height=\"22\" fill=\"#fff\"/>", y - 15.0).unwrap();
    writeln!(svg, "<circle cx=\"{}\" cy=\"{}\" r=\"5\" fill=\"{colour}\"/>", x + 8.0, y - 4.0).unwrap();
    let exponent = curve.exponent();
    let label = format!("{name}: n^{exponent:.2} from {} up", size(FITTED_FROM));
    text(svg, [x + 22.0, y], "start", &label);
}

fn line(svg: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str) {
    writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>")
        .unwrap();
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, text: &str) {
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>").unwrap();
}

/// `10 µs`, without decimals.
fn decade_of_time(nanoseconds: f64) -> String {
    time(nanoseconds).replace(".00", "").replace(".0", "")
}

/// A logarithmic axis over whole decades.
struct Axis {
    decades: Vec<f64>,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let values: Vec<f64> = values.collect();
        let highest = values.iter().copied().fold(0.0, f64::max);
        // No time is below a nanosecond, no size below 1.
        let lowest = values.into_iter().fold(highest, f64::min);
        let all: Vec<f64> = (0..12).map(|exponent| 10_f64.powi(exponent)).collect();
        let first = all.iter().rposition(|decade| *decade <= lowest).unwrap_or(0);
        let last = all.iter().position(|decade| *decade >= highest).unwrap_or(all.len() - 1);
        Self { decades: all[first..=last].to_vec(), from, to }
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        self.decades.iter().copied()
    }

    fn place(&self, value: f64) -> f64 {
        let [lowest, highest] = [self.decades[0], self.decades[self.decades.len() - 1]].map(f64::log10);
        self.from + (value.log10() - lowest) / (highest - lowest) * (self.to - self.from)
    }
}
