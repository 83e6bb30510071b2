# Godot 4: hands from `handscope camera --send ws://127.0.0.1:9100` as small spheres. Attach to a Node3D.
# Handscope's camera frame is x right, y down, z forward; Godot's is x right, y up, z back: a half turn about x.
extends Node3D

@export var address := "ws://127.0.0.1:9100"
var socket := WebSocketPeer.new()
var joints := {}  # "left", "right": 21 spheres each


func _ready() -> void:
	socket.inbound_buffer_size = 1 << 20
	socket.connect_to_url(address)
	for side in ["left", "right"]:
		joints[side] = []
		for k in 21:
			var ball := MeshInstance3D.new()
			ball.mesh = SphereMesh.new()
			ball.mesh.radius = 0.006
			ball.mesh.height = 0.012
			ball.visible = false
			add_child(ball)
			joints[side].append(ball)


func _process(_delta: float) -> void:
	socket.poll()
	var message := ""
	while socket.get_available_packet_count() > 0:
		message = socket.get_packet().get_string_from_utf8()  # the newest one counts
	if message.is_empty():
		return
	for side in joints:
		for ball in joints[side]:
			ball.visible = false
	for hand in JSON.parse_string(message)["hands"]:
		for k in 21:
			var place = hand["joints_3d"][k]
			var ball = joints[hand["handedness"]][k]
			ball.position = Vector3(place[0], -place[1], -place[2])
			ball.visible = true
