//! Optical flow: OpenCV's numbers on real footage, and what must hold whatever the input.

mod behaviour;
mod dis;
mod frames;
mod opencv;
mod parity;
mod warps;
