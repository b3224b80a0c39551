//! Being seen: log lines, metrics, traces.

use std::io::IsTerminal;
use std::sync::OnceLock;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::SdkTracerProvider;
use platform::settings::{LogFormat, Settings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Ends the export of traces in order when it goes.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take() {
            // Nowhere is left to say that the last traces were lost.
            let _ = traces.shutdown();
        }
    }
}

/// Starts log lines on standard error and, where the settings name a collector, traces. Once a process.
///
/// # Errors
/// A line that says which setting is wrong.
pub fn start(settings: &Settings) -> Result<Telemetry, String> {
    let filter = EnvFilter::try_new(&settings.log.filter).map_err(|error| format!("log.filter: {error}"))?;
    let json = match settings.log.format {
        LogFormat::Json => true,
        LogFormat::Plain => false,
        LogFormat::Auto => settings.is_production(),
    };
    let lines = if json {
        fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed()
    };
    let traces = traces(&settings.telemetry.otlp_endpoint)?;
    let spans =
        traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("front-door")));
    tracing_subscriber::registry()
        .with(filter)
        .with(spans)
        .with(lines)
        .try_init()
        .map_err(|error| format!("log: {error}"))?;
    Ok(Telemetry { traces })
}

fn traces(endpoint: &str) -> Result<Option<SdkTracerProvider>, String> {
    if endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| format!("telemetry.otlp_endpoint: {error}"))?;
    let resource = opentelemetry_sdk::Resource::builder().with_service_name("front-door").build();
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
}

/// The process's one recorder of metrics.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            const SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
                .and_then(PrometheusBuilder::install_recorder)
                .inspect_err(|error| tracing::error!(error = %error, "metrics cannot be recorded"))
                .ok()
        })
        .as_ref()
}

/// Keeps the recorder's memory bounded between scrapes.
pub fn upkeep() {
    if let Some(recorder) = recorder() {
        recorder.run_upkeep();
    }
}

/// `GET /metrics` in the Prometheus text form.
pub fn metrics_router() -> Router {
    // Recording starts with the listener.
    let _ = recorder();
    Router::new().route(
        "/metrics",
        get(|| async {
            let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
        }),
    )
}
