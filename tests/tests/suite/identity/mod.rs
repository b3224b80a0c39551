//! Signing in, and sessions.
