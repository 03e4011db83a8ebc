//! Colours, where they are wanted: on a terminal, and nobody has set `NO_COLOR`.

use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

#[derive(Clone, Copy, Default)]
pub struct Palette {
    pub heading: Style,
    /// Of what is sent.
    pub sent: Style,
    /// Of what is not.
    pub dropped: Style,
}

impl Palette {
    pub fn of_standard_output() -> Self {
        Self::new(AutoStream::choice(&io::stdout()))
    }

    fn new(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Never => Self::default(),
            _ => Self {
                heading: Style::new().bold(),
                sent: AnsiColor::Green.on_default(),
                dropped: Style::new().dimmed(),
            },
        }
    }
}
