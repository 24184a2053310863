fn main() -> std::process::ExitCode {
    clipmill::cli::main()
}
