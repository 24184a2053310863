//! Optical flow: OpenCV's numbers on real footage, and what must hold whatever the input.

mod behaviour;
mod frames;
mod opencv;
mod parity;
