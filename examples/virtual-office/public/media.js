// This browser's microphone, camera and screen.
//
// Two streams live as long as the page: the face (microphone and camera) and the share (screen).
// Tracks come and go in them, so that others know a picture by its stream's id.

export class Media {
  constructor(changed) {
    this.face = new MediaStream()
    this.share = new MediaStream()
    this.tracks = {}
    this.changed = changed // called with "mic", "camera" or "screen"
  }

  streamOf(kind) {
    return kind === "screen" ? this.share : this.face
  }

  isOn(kind) {
    return Boolean(this.tracks[kind]?.enabled)
  }

  // What others are told: whether the microphone and camera are on, and which stream is the screen.
  get state() {
    return { mic: this.isOn("mic"), camera: this.isOn("camera"), screen: this.isOn("screen"), share: this.share.id }
  }

  // Rejects with a NotAllowedError or NotFoundError where there is none, or may be none.
  async toggle(kind) {
    if (kind === "mic" && this.tracks.mic) {
      this.tracks.mic.enabled = !this.tracks.mic.enabled // stays: what is asked for once is enough
      this.changed(kind)
    } else if (this.tracks[kind]) this.#end(kind)
    else this.#begin(kind, await this.#ask(kind))
  }

  async #ask(kind) {
    const devices = navigator.mediaDevices
    if (!devices) throw new Error("Browsers give a microphone to https pages and localhost only.")
    const stream = await {
      mic: () => devices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } }),
      camera: () => devices.getUserMedia({ video: { width: 320, height: 240, frameRate: 20 } }),
      screen: () => devices.getDisplayMedia({ video: { frameRate: 10 } }),
    }[kind]()
    return stream.getTracks()[0]
  }

  #begin(kind, track) {
    this.tracks[kind] = track
    this.streamOf(kind).addTrack(track)
    track.onended = () => this.#end(kind) // the browser's own "stop sharing"
    this.changed(kind)
  }

  #end(kind) {
    const track = this.tracks[kind]
    delete this.tracks[kind]
    this.streamOf(kind).removeTrack(track)
    track.stop()
    this.changed(kind)
  }
}
