# shellcheck shell=bash
# The videos that whole jobs are measured with. Source this, then `make_corpus REPO FOLDER`.

# Scenes of real footage and one synthetic, joined at hard cuts: SOURCES FOLDER NAME SIZE RATE NOISE
make_video() {
    [ ! -f "$2/$3.mp4" ] || return 0
    local same="scale=$4,setsar=1,fps=$5,format=yuv420p"
    ffmpeg -nostdin -v error -y -i "$1/bikes.mp4" -i "$1/bigbuckbunny.mp4" -i "$1/carphone_pristine.mp4" \
        -f lavfi -i "mandelbrot=s=$4:r=$5" -f lavfi -i "sine=d=19:r=44100" -filter_complex "
        [0:v]split[p][q];
        [p]trim=0:4,setpts=PTS-STARTPTS,${same}[a]; [1:v]trim=0:5,setpts=PTS-STARTPTS,${same}[b];
        [2:v]trim=0:3,setpts=PTS-STARTPTS,${same}[c]; [q]trim=5:9,setpts=PTS-STARTPTS,${same}[d];
        [3:v]trim=0:3,setpts=PTS-STARTPTS,${same}[e];
        [a][b][c][d][e]concat=n=5:v=1,noise=alls=$6:all_seed=1[v]" \
        -map '[v]' -map 4:a -c:v libx264 -preset fast -threads 1 -c:a aac -fflags +bitexact -flags +bitexact \
        "$2/.$3.mp4"
    mv "$2/.$3.mp4" "$2/$3.mp4"
}

# Eight videos in four sizes; the second four are twice as grainy.
make_corpus() {
    local sources=$1/target/rig/footage-src noise picture number=0
    [ -f "$sources/bikes.mp4" ] || { echo "no footage: run 'bash tests/rig/setup.sh demo' first" >&2; exit 3; }
    mkdir -p "$2"
    for noise in 2 4; do
        for picture in "480x270 25" "640x360 30" "854x480 25" "1280x720 25"; do
            # shellcheck disable=SC2086
            make_video "$sources" "$2" "$number" $picture $noise
            number=$((number + 1))
        done
    done
}
