// SPDX-License-Identifier: Apache-2.0

package gateway

// Divide returns the part of a whole that belongs to one of n processes, of this rank from 0 on. The parts add up to the
// whole. Where fewer may be sent at once than there are processes, as many have a rate, since one without the other is none.
func (s Share) Divide(n, rank int) Share {
	part := Share{InFlight: divide(s.InFlight, n, rank)}
	paced := int(min(int64(n), s.Burst))
	if rank < paced {
		part.Rate, part.Burst = divide(s.Rate, paced, rank), divide(s.Burst, paced, rank)
	}
	return part
}

func divide(whole int64, n, rank int) int64 {
	part := whole / int64(n)
	if int64(rank) < whole%int64(n) {
		part++
	}
	return part
}

// Plus returns both together.
func (s Share) Plus(t Share) Share {
	return Share{s.InFlight + t.InFlight, s.Rate + t.Rate, s.Burst + t.Burst}
}

// Less returns what is left of s without t, of each limit, and nothing below zero.
func (s Share) Less(t Share) Share {
	return Share{max(0, s.InFlight-t.InFlight), max(0, s.Rate-t.Rate), max(0, s.Burst-t.Burst)}
}

// Max returns the larger of both, of each limit.
func (s Share) Max(t Share) Share {
	return Share{max(s.InFlight, t.InFlight), max(s.Rate, t.Rate), max(s.Burst, t.Burst)}
}

// Min returns the smaller of both, of each limit.
func (s Share) Min(t Share) Share {
	return Share{min(s.InFlight, t.InFlight), min(s.Rate, t.Rate), min(s.Burst, t.Burst)}
}
