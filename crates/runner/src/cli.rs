//! The command line: one subcommand, one file in `commands/`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;
use zsad_core::Simd;
use zsad_core::panics::caught;

use crate::commands;
use crate::config::ConfigError;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad run experiments/quickstart.yaml           train and compare; prints the table
  zsad plan experiments/acr_omniglot.yaml        what would run, what is cached, and why not
  zsad data fetch omniglot                       fetch a data set, verify it, put it in place
  zsad describe acr_dsvdd                        a method's parameters, defaults and source
  zsad table results/runs/quickstart --format tex
  zsad report results/runs/quickstart            a page to look at

Data are looked for in --data DIR, else $ZSAD_DATA, else data/. Trained models are kept in --store DIR, else
$ZSAD_STORE, else results/store/, and are shared by all runs.

Exit codes:
  0  all well
  1  some cells failed (they are recorded; the rest of the sweep ended), or none ended well
  2  wrong usage or configuration; nothing was run
  3  data or weights missing or damaged, and nothing could run";

/// A reproducible benchmark harness for zero-shot, batch-level anomaly detection.
///
/// Can a detector that was trained on some normal distributions find the anomalies in a batch from a distribution that
/// it has never seen? A YAML file names data sets, methods, batch sizes, contaminations and seeds; `zsad run` trains
/// each method once per seed, scores every test batch, and writes tables and plots.
#[derive(Parser)]
#[command(name = "zsad", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// Vector instructions of the kernels: portable, avx2 or avx512 [default: $ZSAD_SIMD, else the widest here]
    ///
    /// AVX2 and AVX-512 give the same bits, portable code other last bits. Products that candle computes outside our
    /// kernels choose for themselves.
    #[arg(long, global = true, value_name = "SET", value_parser = Simd::named)]
    simd: Option<Simd>,

    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(commands::run::Run),
    Work(commands::work::Work),
    Cancel(commands::cancel::Cancel),
    Merge(commands::merge::Merge),
    Analyse(commands::analyse::Analyse),
    Batches(commands::batches::Batches),
    Bench(commands::bench::Bench),
    Import(commands::import::Import),
    Index(commands::index::Index),
    Plan(commands::plan::Plan),
    Status(commands::status::Status),
    Table(commands::table::Table),
    Compare(commands::compare::Compare),
    Plot(commands::plot::Plot),
    Report(commands::report::Report),
    Cite(commands::cite::Cite),
    Pack(commands::pack::Pack),
    Verify(commands::verify::Verify),
    Clean(commands::clean::Clean),
    Validate(commands::validate::Validate),
    List(commands::list::List),
    Data(commands::data::Data),
    Describe(commands::describe::Describe),
    Calibrate(commands::calibrate::Calibrate),
    Score(commands::score::Score),
    Metrics(commands::metrics::Metrics),
    NewMethod(commands::new_method::NewMethod),
    Completions(commands::completions::Completions),
}

/// Runs the program with the arguments of the process. To be called by `main` before anything else.
pub fn main() -> ExitCode {
    // Each worker computes on its own rayon pool; candle's global pool, which spins and is shared by all, stays empty.
    // SAFETY: the first statement of the program: no other thread exists that could read the environment meanwhile.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let filter = EnvFilter::try_from_env("ZSAD_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
    // Panics are caught where they belong to a cell or a file, and said there; where they happened is for the log.
    std::panic::set_hook(Box::new(|info| tracing::debug!("{info}")));
    caught(run).unwrap_or_else(|panic| {
        drop(writeln!(io::stderr(), "error: a mistake in zsad itself: {panic}; ZSAD_LOG=debug says where"));
        Exit::SomeFailed.into()
    })
}

fn run() -> ExitCode {
    let out = &mut io::stdout().lock();
    let cli = Cli::parse();
    if let Err(error) = Simd::choose(cli.simd) {
        drop(writeln!(io::stderr(), "error: {error}"));
        return Exit::Usage.into();
    }
    let done = match cli.command {
        Command::Run(c) => c.run(out),
        Command::Work(c) => c.run(out),
        Command::Cancel(c) => c.run(out),
        Command::Merge(c) => c.run(out),
        Command::Analyse(c) => c.run(out),
        Command::Batches(c) => c.run(out),
        Command::Bench(c) => c.run(out),
        Command::Import(c) => c.run(out),
        Command::Index(c) => c.run(out),
        Command::Plan(c) => c.run(out),
        Command::Status(c) => c.run(out),
        Command::Table(c) => c.run(out),
        Command::Compare(c) => c.run(out),
        Command::Plot(c) => c.run(out),
        Command::Report(c) => c.run(out),
        Command::Cite(c) => c.run(out),
        Command::Pack(c) => c.run(out),
        Command::Verify(c) => c.run(out),
        Command::Clean(c) => c.run(out),
        Command::Validate(c) => c.run(out),
        Command::List(c) => c.run(out),
        Command::Data(c) => c.run(out),
        Command::Describe(c) => c.run(out),
        Command::Calibrate(c) => c.run(out),
        Command::Score(c) => c.run(out),
        Command::Metrics(c) => c.run(out),
        Command::NewMethod(c) => c.run(out),
        Command::Completions(c) => c.run(Cli::command(), out),
    };
    match done.and_then(|exit| Ok(out.flush().map(|()| exit)?)) {
        Ok(exit) => exit.into(),
        Err(error) => match Exit::of(&error) {
            None => Exit::Success.into(),
            Some(exit) => {
                // Mistakes in a file begin with their place. Nobody is left to tell where standard error is closed.
                let placed = matches!(error.downcast_ref(), Some(ConfigError::Invalid { .. }));
                drop(writeln!(io::stderr(), "{}{error:#}", if placed { "" } else { "error: " }));
                exit.into()
            }
        },
    }
}
