//! Pictures of numbers, as SVG that stands in the page.

use plotters::prelude::*;
use plotters::style::RGBColor;

use crate::summary::numbers::grouped;

pub struct Bar {
    pub label: String,
    pub value: u64,
    pub colour: RGBColor,
}

/// As wide as a phone, so that the letters are large enough on one.
const WIDTH: u32 = 440;
const ROW: u32 = 48;
const COLUMNS_HEIGHT: u32 = 190;
/// The library makes letters smaller than it is told to.
const LETTERS: u32 = 21;
/// Characters of a label that there is room for; the numbers beside the picture have all of it.
const LABEL: usize = 34;

/// Light enough for a dark page, dark enough for a light one.
pub const NEUTRAL: RGBColor = RGBColor(74, 128, 190);

/// Bars from the left, each below what it stands for. `id` is used nowhere else on the page.
pub fn bars(id: &str, title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
    let height = ROW * u32::try_from(bars.len()).unwrap_or(u32::MAX / ROW).max(1);
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
    let mut top = 0;
    for bar in bars {
        let label: String = bar.label.chars().take(LABEL).collect();
        write(&root, format!("{label}: {}", grouped(bar.value.into())), (0, top));
        let right = length(bar.value, most, WIDTH);
        draw(&root, [(0, top + 22), (right, top + 36)], bar.colour);
        top += ROW.cast_signed();
    }
    drop(root);
    let values: Vec<_> =
        bars.iter().map(|bar| format!("{} {}", bar.label, grouped(bar.value.into()))).collect();
    described(&text, height, id, title, &values.join("; "))
}

/// Columns from left to right, with words below the first and the last.
pub fn columns(id: &str, title: &str, values: &[u64], [first, last]: [&str; 2]) -> String {
    let most = values.iter().copied().max().unwrap_or(0);
    let bottom = COLUMNS_HEIGHT - 40;
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, COLUMNS_HEIGHT)).into_drawing_area();
    write(&root, format!("most: {}", grouped(most.into())), (0, 0));
    let step = f64::from(WIDTH) / values.len().max(1) as f64;
    for (index, value) in values.iter().enumerate() {
        let [left, right] = [index as f64 * step, (index as f64 + 0.85) * step].map(|x| x as i32);
        let top = bottom.cast_signed() - length(*value, most, bottom - 24);
        draw(&root, [(left, top), (right.max(left + 1), bottom.cast_signed())], NEUTRAL);
    }
    write(&root, first.to_owned(), (0, bottom.cast_signed() + 4));
    write(&root, format!("to {last}"), (0, bottom.cast_signed() + 22));
    drop(root);
    let description =
        format!("{} periods from {first} to {last}, at most {}", values.len(), grouped(most.into()));
    described(&text, COLUMNS_HEIGHT, id, title, &description)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn write(root: &Area<'_>, text: String, at: (i32, i32)) {
    root.draw(&Text::new(text, at, ("sans-serif", LETTERS).into_font()))
        .expect("a text takes all that is written");
}

fn draw(root: &Area<'_>, corners: [(i32, i32); 2], colour: RGBColor) {
    root.draw(&Rectangle::new(corners, colour.filled())).expect("a text takes all that is drawn");
}

/// What is there can be seen, however little it is.
fn length(value: u64, most: u64, room: u32) -> i32 {
    match value {
        0 => 0,
        _ => ((value as f64 / most as f64 * f64::from(room)) as i32).max(2),
    }
}

/// The picture as wide as there is room, and what it shows for those who do not see it.
fn described(svg: &str, height: u32, id: &str, title: &str, description: &str) -> String {
    let (_, content) = svg.split_once('>').unwrap_or_default();
    let [title, description] = [title, description].map(|text| maud::html! { (text) }.into_string());
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{id}-title {id}-desc"><title id="{id}-title">{title}</title><desc id="{id}-desc">{description}</desc>{content}"#
    )
}
