/** Counts what goes over the network; one for the whole daemon. Bytes are payload, without headers of IP and below. */
export class Tally {
  /** Chunks of links given to the kernel, and taken from it: packets, when there is little to say. */
  linkWrites = 0
  linkReads = 0
  linkBytesSent = 0
  linkBytesReceived = 0
  /** Datagrams of listeners: probes, and whatever else comes to their port. */
  datagramsSent = 0
  datagramsReceived = 0
  datagramBytesSent = 0
  datagramBytesReceived = 0
  /** Datagrams of discovery. Heard are also those of other programs in the same groups. */
  multicastSent = 0
  multicastHeard = 0
  multicastBytesSent = 0
  multicastBytesHeard = 0
}
