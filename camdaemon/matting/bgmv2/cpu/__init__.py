"""A network on a CPU, bytes in and bytes out, in numpy and OpenCV; loads no torch.

matting     implements the protocol `Matting`: weights, sizes, engines, errors
network     one frame: coarse matte, refined patches, upsampling, bytes
coarse      its first half: base network, patches to refine; `ahead`: that of the next frame, in another thread
cache       a network for each size of the base input
base        what that needs of a base network: `published` and `slim`
told_plate  a plate as the slim one is shown it
hidden      features of the published one, only where the refiner needs them
tiles       the refiner, by tiles
room        which columns are certainly room, by the frame's own evidence; `widths`: engines for the others
half_maps, parts, tile_windows   the arithmetic of all these
"""
