//! The few file operations that the ledger needs.
